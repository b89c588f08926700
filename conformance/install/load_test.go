// SPDX-License-Identifier: Apache-2.0

package install

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/cni-guard/cni-guard/conformance/node"
	"github.com/cni-guard/cni-guard/conformance/rigtest"
)

// Two loops of pods go as fast as they can, one that removes pods by the directory
// and one by the cache, while the guard is installed, upgraded and uninstalled.
// None of their ADDs and DELs fails.
func TestNoPodNotices(t *testing.T) {
	here, err := node.Here()
	if err != nil {
		rigtest.Lack(t, err.Error())
	}
	defer here.Close()
	n, other := loaded(t)
	loops := []*Loop{{Name: "folder", Node: n}, {Name: "cache", Node: n, Cached: true}}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ends := make(chan error, len(loops))
	for _, l := range loops {
		go func() {
			err := l.Run(ctx)
			if err != nil {
				cancel()
			}
			ends <- err
		}()
	}
	const rounds = 8
	for i := 0; i < rounds && ctx.Err() == nil; i++ {
		flags := [][]string{{"--loopback"}, {"--placement", "own"}, {"--placement", "bookend"}, nil}[i%4]
		if err := (Round{Node: n, Other: other, Install: flags, Grace: "1s"}).Run(); err != nil {
			t.Errorf("round %d: %v", i, err)
		}
	}
	cancel()
	for range loops {
		if err := <-ends; err != nil {
			t.Error(err)
		}
	}
	for _, l := range loops {
		t.Logf("%d pods of loop %s came and went", l.Pods, l.Name)
	}
	wantNothingHeld(t, n)
}

// loaded makes a node with its network, and another version of the programs.
func loaded(t *testing.T) (*Node, string) {
	t.Helper()
	guard, other := rigtest.GuardDir(t), filepath.Join(t.TempDir(), "other")
	if err := CopyPrograms(guard, other, "another version"); err != nil {
		t.Fatal(err)
	}
	n, err := NewNode(t.TempDir(), "containerd", guard, rigtest.RefDir(t))
	if err == nil {
		err = os.WriteFile(filepath.Join(n.Conf(), "10-pods.conflist"), n.Primary(), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	return n, other
}

// wantNothingHeld wants all addresses back, and no attachment in the cache.
func wantNothingHeld(t *testing.T, n *Node) {
	t.Helper()
	for _, pattern := range []string{"leases/pods/10.*", "cache/results/*"} {
		if left, err := filepath.Glob(filepath.Join(n.Dir, pattern)); err != nil || len(left) > 0 {
			t.Errorf("left: %q, %v", left, err)
		}
	}
}
