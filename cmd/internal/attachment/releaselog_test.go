// SPDX-License-Identifier: Apache-2.0

package attachment_test

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cni-guard/cni-guard/cmd/internal/attachment"
	"github.com/cni-guard/cni-guard/pkg/ledger"
)

func (s *scene) begin() *attachment.ReleaseLog { return s.lookup().BeginRelease(nil, "", false) }

// wantCalled begins a release and asks its log whether firewall may be called. The
// refusal must contain the given words; "" means that there must be none.
func (s *scene) wantCalled(refusal string) *attachment.ReleaseLog {
	s.Helper()
	b := s.begin()
	got := b.Begin("firewall")
	if refusal == "" && got != "" || refusal != "" && !strings.Contains(got, refusal) {
		s.Errorf("firewall is refused as %q, want %q", got, refusal)
	}
	return b
}

// However an earlier release ended, the plugin is not called twice.
func TestReleaseLog(t *testing.T) {
	for name, c := range map[string]struct {
		before  func(*scene)
		refusal string
	}{
		"first":                    {func(s *scene) { s.record("/p", nil) }, ""},
		"first, nothing on record": {func(*scene) {}, ""},
		"killed before it": {func(s *scene) {
			s.record("/p", nil)
			s.begin()
		}, ""},
		"killed after it was begun": {func(s *scene) {
			s.record("/p", nil)
			s.begin().Begin("firewall")
		}, "called before"},
		"killed after it was begun, nothing on record": {func(s *scene) { s.begin().Begin("firewall") }, "called before"},
		"another plugin failed": {func(s *scene) {
			b := s.begin()
			b.Begin("firewall")
			b.End("firewall", nil)
			b.Close(false)
		}, "called before"},
		"it failed, the address is free": {func(s *scene) {
			s.cache("c1", "", "", "10.1.0.5")
			b := s.begin()
			b.Begin("firewall")
			b.End("firewall", errors.New("no"))
			b.Close(false)
		}, ""},
		"it failed, the address is not known": {func(s *scene) {
			b := s.begin()
			b.Begin("firewall")
			b.End("firewall", errors.New("no"))
			b.Close(false)
		}, "failed before"},
		"it failed, then succeeded": {func(s *scene) {
			s.cache("c1", "", "", "10.1.0.5")
			b := s.begin()
			b.Begin("firewall")
			b.End("firewall", errors.New("no"))
			b = s.begin()
			b.Begin("firewall")
			b.End("firewall", nil)
		}, "called before"},
		"the runtime's DEL went before, the address is free": {func(s *scene) {
			s.record("/p", nil)
			s.cache("c1", "", "", "10.1.0.5")
			s.retire()
		}, ""},
		"the runtime's DEL went before, no cache": {func(s *scene) {
			s.record("/p", nil)
			s.retire()
			s.a.CacheDir = "/nonesuch"
		}, "the runtime may have called it"},
		"the next pod has the address": {func(s *scene) {
			s.cache("c1", "", "", "10.1.0.5")
			s.age("c1", -time.Hour)
			s.cache("c2", "", "", "10.1.0.5")
		}, "10.1.0.5 now belongs to container c2"},
		"the next pod has the address, by the ledger": {func(s *scene) {
			s.record("/p", nil)
			s.record("/q", func(r *ledger.Record) { r.ContainerID = "c2" })
		}, "10.1.0.5 now belongs to container c2"},
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

// A complete release is recorded with the path that the runtime's DEL will have, even
// if there was no record before.
func TestReleaseLogComplete(t *testing.T) {
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
	k := s.lookup()
	if !k.IsReleased("") || !k.IsReleased("/run/netns/pod") {
		t.Error("it is not known as released")
	}
	// Another path may be that of a container that was restarted with its ID. Then
	// plugins that clean up by address are still left alone.
	if k.IsReleased("/run/netns/next") {
		t.Error("another path is taken for the one that was released")
	}
	if got := k.BeginRelease(nil, "/run/netns/next", false).Begin("firewall"); !strings.Contains(got, "called before") {
		t.Errorf("firewall is refused as %q", got)
	}
}

// A retired record may be of an earlier container with the same ID. The mark is for the
// present sandbox, so that the runtime's DEL finds it.
func TestReleaseLogMarksPresentSandbox(t *testing.T) {
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
			b := s.lookup().BeginRelease(nil, c.del, false)
			b.Close(true)
			r, err := ledger.Ledger(s.stateDir()).Get(ledger.Key{Network: "net", ContainerID: "c1", IfName: "eth0"})
			if err != nil || !r.Released || r.Netns != c.want {
				t.Errorf("the mark is %+v, %v; want the path %q", r, err, c.want)
			}
			if !s.lookup().IsReleased(c.del) {
				t.Error("the next DEL does not find the mark")
			}
		})
	}
}

// If the release cannot be recorded, a plugin that cleans up by address is called only
// with proof that no other pod has the address.
func TestReleaseLogUnwritable(t *testing.T) {
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
	if got := s.lookup().BeginRelease([]netip.Addr{netip.MustParseAddr("10.1.0.5")}, "", false).Begin("firewall"); !strings.Contains(got, "cannot be recorded") {
		t.Errorf("firewall is refused as %q", got)
	}
	s.a.CacheDir = filepath.Join(s.dir, "cache")

	// A directory that can be read and not written.
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
	if got := s.lookup().BeginRelease([]netip.Addr{}, "", false); got.Begin("firewall") != "" {
		t.Error("refused, though the address is free")
	}
	s.age("c1", -time.Hour)
	s.cache("c2", "", "", "10.1.0.5")
	s.wantCalled("belongs to container c2")
}

// A dry run answers the same and records nothing.
func TestReleaseLogDryRun(t *testing.T) {
	s := newScene(t)
	b := s.lookup().BeginRelease(nil, "", true)
	if got := b.Begin("firewall"); got != "" {
		t.Errorf("refused as %q", got)
	}
	b.Close(true)
	if _, err := os.Stat(s.stateDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the state directory: %v", err)
	}
}

// A release does not touch the record of a later sandbox with the same key.
func TestReleaseLogReplaced(t *testing.T) {
	s := newScene(t)
	s.record("/p", nil)
	k := s.lookup()
	s.record("/q", func(r *ledger.Record) { r.Added = r.Added.Add(time.Minute) })
	if b := k.BeginRelease(nil, "", false); !errors.Is(b.Err(), ledger.ErrReplaced) {
		t.Errorf("the error is %v", b.Err())
	}
}
