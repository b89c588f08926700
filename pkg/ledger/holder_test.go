// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

const boot, otherBoot = "0d7d1c5e-6bd1-4d0c-9d3a-8a1f4b0f4a51", "another-boot"

// put records an attachment of a container with a cookie.
func put(t *testing.T, l Ledger, container, ifName string, cookie uint64, bootID string) Key {
	t.Helper()
	k := key(container)
	k.IfName = ifName
	r := record(k)
	r.Cookie, r.BootID = cookie, bootID
	must(t, l.Put(r))
	return k
}

func TestHolder(t *testing.T) {
	for _, tt := range []struct {
		name string
		make func(t *testing.T, l Ledger)
		want string // the container; "" for none
	}{
		{"no ledger", func(*testing.T, Ledger) {}, ""},
		{"another container", func(t *testing.T, l Ledger) { put(t, l, "b", "eth0", 77, boot) }, "b"},
		{"another attachment of the container", func(t *testing.T, l Ledger) { put(t, l, "a", "net1", 77, boot) }, "a"},
		{"the container before another", func(t *testing.T, l Ledger) {
			put(t, l, "0", "eth0", 77, boot)
			put(t, l, "a", "net1", 77, boot)
			put(t, l, "z", "eth0", 77, boot)
		}, "a"},
		{"another cookie", func(t *testing.T, l Ledger) { put(t, l, "b", "eth0", 770, boot) }, ""},
		{"a cookie that ends alike", func(t *testing.T, l Ledger) { put(t, l, "b", "eth0", 177, boot) }, ""},
		{"another boot", func(t *testing.T, l Ledger) { put(t, l, "b", "eth0", 77, otherBoot) }, ""},
		{"retired", func(t *testing.T, l Ledger) { must(t, l.Retire(put(t, l, "b", "eth0", 77, boot))) }, ""},
		{"released", func(t *testing.T, l Ledger) {
			r := record(put(t, l, "b", "eth0", 77, boot))
			r.Cookie = 77
			must(t, l.PutReleased(*r))
		}, ""},
		{"damaged", func(t *testing.T, l Ledger) {
			put(t, l, "b", "eth0", 77, boot)
			must(t, os.WriteFile(l.path(live, key("b")), []byte(`{"cookie":77,"netns"`), 0o600))
		}, ""},
		{"damaged beside whole", func(t *testing.T, l Ledger) {
			put(t, l, "b", "eth0", 77, boot)
			must(t, os.WriteFile(l.path(live, key("a0")), []byte(`{"cookie":77,"netns"`), 0o600))
		}, "b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := Ledger(filepath.Join(memory(t), "ledger"))
			tt.make(t, l)
			r, err := l.Holder(t.Context(), 77, boot, "a")
			must(t, err)
			got := ""
			if r != nil {
				got = r.ContainerID
			}
			if got != tt.want {
				t.Errorf("the holder is %q, want %q", got, tt.want)
			}
		})
	}
}

// A record without a cookie, of a kernel that has none, holds no namespace.
func TestHolderOfNoCookie(t *testing.T) {
	l := Ledger(memory(t))
	put(t, l, "b", "eth0", 0, boot)
	if r, err := l.Holder(t.Context(), 0, boot, "a"); r != nil || err != nil {
		t.Errorf("Holder of cookie 0 = %+v, %v", r, err)
	}
}

func TestHolderUnreadable(t *testing.T) {
	l := Ledger(memory(t))
	must(t, os.WriteFile(filepath.Join(string(l), live), nil, 0o600))
	if r, err := l.Holder(t.Context(), 77, boot, "a"); err == nil {
		t.Errorf("a file in the place of the directory: Holder = %+v, without an error", r)
	}
}

// Whoever returns up early has no proof, but is told so.
func TestHolderGivesUp(t *testing.T) {
	l := Ledger(memory(t))
	put(t, l, "b", "eth0", 77, boot)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r, err := l.Holder(ctx, 77, boot, "a"); r != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("Holder = %+v, %v, want the error of the context", r, err)
	}
}
