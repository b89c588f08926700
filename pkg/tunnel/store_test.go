// SPDX-License-Identifier: Apache-2.0

package tunnel_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

func addr(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
}

func TestStoreKeeps(t *testing.T) {
	m := tunnel.PeerStoreIn(t.TempDir())
	now := time.Now().Round(0)
	known, err := m.Load(now)
	if !errors.Is(err, fs.ErrNotExist) || len(known.Peers) != 0 {
		t.Fatalf("at first: %v, error %v", known, err)
	}
	want := tunnel.PeerState{LastProbe: now, LastAnswer: now.Add(-time.Minute), Misses: 1, State: tunnel.Unreachable, RTT: time.Millisecond, By: addr(7), Reason: "no route to the host"}
	known.Peers[addr(1)] = want
	known.Peers[addr(2)] = tunnel.PeerState{LastProbe: now.Add(-time.Hour)} // not probed for long
	known.Peers[addr(3)] = tunnel.PeerState{LastProbe: now.Add(time.Hour)}  // another clock
	if err := m.Save(known); err != nil {
		t.Fatal(err)
	}
	got, err := m.Load(now)
	if err != nil || len(got.Peers) != 1 || fmt.Sprint(got.Peers[addr(1)]) != fmt.Sprint(want) {
		t.Errorf("%v, error %v, want %v", got.Peers, err, want)
	}
}

// A malformed file counts as missing, and is replaced.
func TestStoreCorrupt(t *testing.T) {
	boot, err := netstate.BootID()
	if err != nil {
		t.Fatal(err)
	}
	sound := `{"bootID":"` + boot + `","peers":{"10.0.0.1":{"asked":"` + time.Now().Format(time.RFC3339) + `"}}}`
	for name, c := range map[string]struct {
		make func(path string) error
		want string // part of the error
	}{
		"sound":        {write(sound), ""},
		"empty":        {write(""), "unexpected end"},
		"cut":          {write(sound[:len(sound)/2]), "unexpected end"},
		"another form": {write(`[1, 2]`), "cannot unmarshal"},
		"no address":   {write(strings.Replace(sound, "10.0.0.1", "nobody", 1)), "nobody"},
		"another boot": {write(strings.Replace(sound, boot, "4711", 1)), "another boot"},
		"a folder":     {func(path string) error { return os.Mkdir(path, 0o700) }, "not a regular file"},
		"a FIFO":       {func(path string) error { return unix.Mkfifo(path, 0o600) }, "not a regular file"},
		"a link":       {func(path string) error { return os.Symlink("/etc/hostname", path) }, "symbolic"},
		"huge": {func(path string) error {
			return errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, 1<<30))
		}, "larger"},
	} {
		t.Run(name, func(t *testing.T) {
			m := tunnel.PeerStoreIn(t.TempDir())
			if err := os.Mkdir(string(m), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := c.make(filepath.Join(string(m), "peers.json")); err != nil {
				t.Fatal(err)
			}
			known, err := m.Load(time.Now())
			if (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is %v, want %q", err, c.want)
			}
			if c.want != "" && len(known.Peers) > 0 {
				t.Errorf("it has %v", known.Peers)
			}
		})
	}
}

func write(text string) func(string) error {
	return func(path string) error { return os.WriteFile(path, []byte(text), 0o600) }
}

func TestStoreBound(t *testing.T) {
	m := tunnel.PeerStoreIn(t.TempDir())
	known, _ := m.Load(time.Now())
	now := time.Now()
	for i := range 20000 {
		known.Peers[addr(i)] = tunnel.PeerState{LastProbe: now.Add(-time.Duration(i) * time.Millisecond)}
	}
	if err := m.Save(known); err != nil {
		t.Fatal(err)
	}
	got, err := m.Load(now)
	if err != nil || len(got.Peers) != 16384 {
		t.Fatalf("%d peers, error %v", len(got.Peers), err)
	}
	if _, ok := got.Peers[addr(0)]; !ok {
		t.Error("the peer that was probed last is missing")
	}
	entries, err := os.ReadDir(string(m))
	if err != nil || len(entries) != 1 {
		t.Errorf("the directory has %v, error %v", entries, err)
	}
}

// Of too many that were probed at the same time some are kept.
func TestStoreBoundOfOneMoment(t *testing.T) {
	m := tunnel.PeerStoreIn(t.TempDir())
	now := time.Now()
	known, _ := m.Load(now)
	for i := range 17000 {
		known.Peers[addr(i)] = tunnel.PeerState{LastProbe: now.Add(-time.Second)}
	}
	if err := m.Save(known); err != nil {
		t.Fatal(err)
	}
	if got, err := m.Load(now); err != nil || len(got.Peers) != 16384 {
		t.Errorf("%d peers, error %v", len(got.Peers), err)
	}
}

func TestStoreSuppress(t *testing.T) {
	m := tunnel.PeerStoreIn(t.TempDir())
	now := time.Now()
	if m.Suppressed("a", now) {
		t.Error("suppressed at first")
	}
	if err := m.Suppress("a", now, now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		key  tunnel.SuppressionKey
		at   time.Time
		want bool
	}{
		"right after":            {"a", now, true},
		"shortly before the end": {"a", now.Add(tunnel.RescanInterval - time.Second), true},
		"at the end":             {"a", now.Add(tunnel.RescanInterval), false},
		"another key":            {"b", now, false},
		"a clock that went back": {"a", now.Add(-time.Hour), false},
	} {
		if got := m.Suppressed(c.key, c.at); got != c.want {
			t.Errorf("%s: suppressed is %t", name, got)
		}
	}
	if err := errors.Join(m.Unsuppress("a"), m.Unsuppress("b")); err != nil || m.Suppressed("a", now) {
		t.Errorf("unsuppressed: suppressed is %t, error %v", m.Suppressed("a", now), err)
	}
}

// The names of the files are those of earlier versions, which may share the directory.
func TestSuppressionKey(t *testing.T) {
	extra := []netip.Addr{addr(2), addr(1)}
	for require, want := range map[tunnel.Require]tunnel.SuppressionKey{
		"":                 "ipip,vxlan[10.0.0.1 10.0.0.2]",
		tunnel.RequireNone: "ipip,vxlan[10.0.0.1 10.0.0.2]",
		tunnel.RequireAll:  "ipip,vxlan[10.0.0.1 10.0.0.2]all",
	} {
		if got := tunnel.NewSuppressionKey([]string{"vxlan", "ipip"}, extra, require); got != want {
			t.Errorf("require %q: %s, want %s", require, got, want)
		}
	}
}

func FuzzStore(f *testing.F) {
	f.Add([]byte(`{"bootID":"x","spent":{"at":"2026-01-01T00:00:00Z","packets":-1},"peers":{"10.0.0.1":{"misses":-1,"state":"silent"}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m := tunnel.PeerStoreIn(t.TempDir())
		if err := errors.Join(os.Mkdir(string(m), 0o700), os.WriteFile(filepath.Join(string(m), "peers.json"), data, 0o600)); err != nil {
			t.Fatal(err)
		}
		b := newBench(t, overlay(1, 0))
		b.Store = m
		if w, err := b.Pass(t.Context()); err != nil || w.Peers != 1 {
			t.Errorf("%+v, error %v", w, err)
		}
	})
}
