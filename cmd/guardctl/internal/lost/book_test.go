// SPDX-License-Identifier: Apache-2.0

package lost_test

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/lost"
	"github.com/cni-guard/cni-guard/pkg/ledger"
)

func (s *scene) open() *lost.Book { return s.look().Open(nil, "", false) }

// wantCalled opens the account of a release and asks it for firewall. A refusal
// must contain the words; "" means that it may be called.
func (s *scene) wantCalled(refusal string) *lost.Book {
	s.Helper()
	b := s.open()
	got := b.Begin("firewall")
	if refusal == "" && got != "" || refusal != "" && !strings.Contains(got, refusal) {
		s.Errorf("firewall is refused as %q, want %q", got, refusal)
	}
	return b
}

// Whatever an earlier release came to, the plugin is not called twice.
func TestBook(t *testing.T) {
	for name, c := range map[string]struct {
		before  func(*scene)
		refusal string
	}{
		"first":                    {func(s *scene) { s.record("/p", nil) }, ""},
		"first, nothing on record": {func(*scene) {}, ""},
		"killed before it": {func(s *scene) {
			s.record("/p", nil)
			s.open()
		}, ""},
		"killed after it was begun": {func(s *scene) {
			s.record("/p", nil)
			s.open().Begin("firewall")
		}, "ran before"},
		"killed after it was begun, nothing on record": {func(s *scene) { s.open().Begin("firewall") }, "ran before"},
		"another plugin failed": {func(s *scene) {
			b := s.open()
			b.Begin("firewall")
			b.End("firewall", nil)
			b.Close(false)
		}, "ran before"},
		"it failed, nobody has the address": {func(s *scene) {
			s.cache("c1", "", "", "10.1.0.5")
			b := s.open()
			b.Begin("firewall")
			b.End("firewall", errors.New("no"))
			b.Close(false)
		}, ""},
		"it failed, the address is not known": {func(s *scene) {
			b := s.open()
			b.Begin("firewall")
			b.End("firewall", errors.New("no"))
			b.Close(false)
		}, "failed before"},
		"it failed, then succeeded": {func(s *scene) {
			s.cache("c1", "", "", "10.1.0.5")
			b := s.open()
			b.Begin("firewall")
			b.End("firewall", errors.New("no"))
			b = s.open()
			b.Begin("firewall")
			b.End("firewall", nil)
		}, "ran before"},
		"the runtime's DEL went before, nobody has the address": {func(s *scene) {
			s.record("/p", nil)
			s.cache("c1", "", "", "10.1.0.5")
			s.retire()
		}, ""},
		"the runtime's DEL went before, no cache": {func(s *scene) {
			s.record("/p", nil)
			s.retire()
			s.a.CacheDir = "/nonesuch"
		}, "the runtime may have run it"},
		"the next pod has the address": {func(s *scene) {
			s.cache("c1", "", "", "10.1.0.5")
			s.age("c1", -time.Hour)
			s.cache("c2", "", "", "10.1.0.5")
		}, "10.1.0.5 is of container c2"},
		"the next pod has the address, by the ledger": {func(s *scene) {
			s.record("/p", nil)
			s.record("/q", func(r *ledger.Record) { r.ContainerID = "c2" })
		}, "10.1.0.5 is of container c2"},
		"an earlier pod had the address": {func(s *scene) {
			s.cache("c1", "", "", "10.1.0.5")
			s.cache("c2", "", "", "10.1.0.5")
			s.age("c2", -time.Hour)
			s.record("/q", func(r *ledger.Record) { r.ContainerID, r.Added = "c3", r.Added.Add(-time.Hour) })
		}, ""},
		"another pod has another address": {func(s *scene) {
			s.cache("c1", "", "", "10.1.0.5")
			s.age("c1", -time.Hour)
			s.cache("c2", "", "", "10.1.0.6")
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			c.before(s)
			s.wantCalled(c.refusal)
		})
	}
}

func (s *scene) retire() {
	s.Helper()
	if err := ledger.Ledger(s.stateDir()).Retire(ledger.Key{Network: "net", ContainerID: "c1", IfName: "eth0"}); err != nil {
		s.Fatal(err)
	}
}

// A complete release is remembered, with the path that the runtime's DEL will
// have, also where there was no record.
func TestBookRemembers(t *testing.T) {
	s := newScene(t)
	s.cache("c1", "/run/netns/pod", "", "10.1.0.5")
	b := s.wantCalled("")
	b.Close(true)
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	r, err := ledger.Ledger(s.stateDir()).Get(ledger.Key{Network: "net", ContainerID: "c1", IfName: "eth0"})
	if err != nil || !r.Released || !r.Retired || r.Netns != "/run/netns/pod" {
		t.Errorf("the record is %+v, %v", r, err)
	}
	k := s.look()
	if !k.Released("") || !k.Released("/run/netns/pod") {
		t.Error("it is not known as released")
	}
	// Another path may be that of a container that was restarted with its ID. Then
	// plugins that clean up by address are still left alone.
	if k.Released("/run/netns/next") {
		t.Error("another path is taken for the one that was released")
	}
	if got := k.Open(nil, "/run/netns/next", false).Begin("firewall"); !strings.Contains(got, "ran before") {
		t.Errorf("firewall is refused as %q", got)
	}
}

// A retired record may be that of an earlier container with the same ID. What is
// marked is the sandbox that there is now, so that the runtime's DEL finds the mark.
func TestBookMarksThisLife(t *testing.T) {
	for name, c := range map[string]struct {
		cached, del string // the paths in the runtime's cache and of the DEL
		want        string
	}{
		"the path of the DEL":    {"", "/run/netns/next", "/run/netns/next"},
		"the path in the cache":  {"/run/netns/next", "", "/run/netns/next"},
		"no path is known":       {"", "", ""},
		"the path of the record": {"/run/netns/pod", "", "/run/netns/pod"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.record("/run/netns/pod", nil)
			s.retire()
			if c.cached != "" {
				s.cache("c1", c.cached, "", "10.1.0.5")
			}
			b := s.look().Open(nil, c.del, false)
			b.Close(true)
			r, err := ledger.Ledger(s.stateDir()).Get(ledger.Key{Network: "net", ContainerID: "c1", IfName: "eth0"})
			if err != nil || !r.Released || r.Netns != c.want {
				t.Errorf("the mark is %+v, %v; want the path %q", r, err, c.want)
			}
			if !s.look().Released(c.del) {
				t.Error("the next DEL does not find the mark")
			}
		})
	}
}

// Where nothing can be recorded, only proof that nobody else has the address lets
// a plugin be called that cleans up by it.
func TestBookUnwritable(t *testing.T) {
	s := newScene(t)
	s.cache("c1", "", "", "10.1.0.5")
	if err := os.WriteFile(s.stateDir(), nil, 0o600); err != nil { // as good as a full disk, for root, too
		t.Fatal(err)
	}
	b := s.wantCalled("") // the cache has this pod, and no other with the address
	if b.Err() == nil {
		t.Fatal("something was recorded")
	}
	b.Close(true)
	if b.Err() == nil {
		t.Error("something was recorded")
	}
	s.a.CacheDir = filepath.Join(s.dir, "nonesuch")
	if got := s.look().Open([]netip.Addr{netip.MustParseAddr("10.1.0.5")}, "", false).Begin("firewall"); !strings.Contains(got, "nothing can be recorded") {
		t.Errorf("firewall is refused as %q", got)
	}
	s.a.CacheDir = filepath.Join(s.dir, "cache")

	// A folder that can be read and not written.
	if err := os.Remove(s.stateDir()); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(s.stateDir(), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.stateDir(), "gone"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := s.wantCalled(""); got.Err() == nil {
		t.Fatal("something was recorded")
	}
	if got := s.look().Open([]netip.Addr{}, "", false); got.Begin("firewall") != "" {
		t.Error("refused, though nobody has the address")
	}
	s.age("c1", -time.Hour)
	s.cache("c2", "", "", "10.1.0.5")
	s.wantCalled("is of container c2")
}

// A dry run says the same and records nothing.
func TestBookDryRun(t *testing.T) {
	s := newScene(t)
	b := s.look().Open(nil, "", true)
	if got := b.Begin("firewall"); got != "" {
		t.Errorf("refused as %q", got)
	}
	b.Close(true)
	if _, err := os.Stat(s.stateDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the state folder: %v", err)
	}
}

// The release of a container does not touch the record of its next life.
func TestBookAnotherLife(t *testing.T) {
	s := newScene(t)
	s.record("/p", nil)
	k := s.look()
	s.record("/q", func(r *ledger.Record) { r.Added = r.Added.Add(time.Minute) })
	if b := k.Open(nil, "", false); !errors.Is(b.Err(), ledger.ErrReplaced) {
		t.Errorf("the error is %v", b.Err())
	}
}
