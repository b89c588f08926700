// SPDX-License-Identifier: Apache-2.0

package node_test

import (
	"errors"
	"os"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/cni-guard/cni-guard/conformance/node"
)

func mustNew(t *testing.T) *node.Node {
	t.Helper()
	n, err := node.New()
	if errors.Is(err, node.ErrNotPrivate) && os.Getenv("REQUIRE_ALL") != "1" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	return n
}

func mustLook(t *testing.T, path string) node.Facts {
	t.Helper()
	f, err := node.Look(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// The node's eth0 must really go: a NIC that its driver protects shows no harm.
func TestEth0CanBeDeleted(t *testing.T) {
	n := mustNew(t)
	if f := mustLook(t, n.Path); !f.LoUp || !f.HasEth0 || f.MAC == "" {
		t.Fatalf("a fresh node has %+v", f)
	}
	before, err := node.Snapshot(n.Path)
	if err != nil {
		t.Fatal(err)
	}
	eth0, err := netlink.LinkByName("eth0")
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkDel(eth0); err != nil {
		t.Fatal(err)
	}
	if f := mustLook(t, n.Path); f.HasEth0 {
		t.Errorf("after deletion the node has %+v", f)
	}
	if after, err := node.Snapshot(n.Path); err != nil || after == before {
		t.Errorf("the snapshot does not tell: %v\n%s", err, after)
	}
}

func TestReuseLeadsToTheNode(t *testing.T) {
	n := mustNew(t)
	pod := mustHold(t)
	if same(t, pod.Path(), n.Path) {
		t.Fatal("a sandbox is the node's namespace from the start")
	}
	if err := pod.End(); err != nil {
		t.Fatal(err)
	}
	other := mustReuse(t, pod.PID)
	if !same(t, other.Path(), n.Path) {
		t.Error("the process that reuses the ID is not in the node's namespace")
	}
}

func TestReuseLeadsToAnotherPod(t *testing.T) {
	mustNew(t)
	pod, neighbour := mustHold(t), mustHold(t)
	if err := pod.End(); err != nil {
		t.Fatal(err)
	}
	var other *node.Process
	err := node.Within(neighbour.Path(), func() (err error) {
		other, err = node.Reuse(pod.PID)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.End() })
	if !same(t, pod.Path(), neighbour.Path()) {
		t.Error("the process that reuses the ID is not in the other pod's namespace")
	}
}

func TestPinPointsAtTheNode(t *testing.T) {
	n := mustNew(t)
	pin, err := node.NewPin("cni-test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pin.Remove(); err != nil {
			t.Error(err)
		}
	})
	if same(t, pin.Path, n.Path) {
		t.Fatal("a pinned sandbox is the node's namespace from the start")
	}
	if err := pin.PointAt(n.Path); err != nil {
		t.Fatal(err)
	}
	if !same(t, pin.Path, n.Path) {
		t.Error("the pin does not lead to the node's namespace")
	}
}

func mustHold(t *testing.T) *node.Process {
	t.Helper()
	p, err := node.NewHolder()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.End() })
	return p
}

func mustReuse(t *testing.T, pid int) *node.Process {
	t.Helper()
	p, err := node.Reuse(pid)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.End() })
	return p
}

func same(t *testing.T, a, b string) bool {
	t.Helper()
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	if err := errors.Join(errA, errB); err != nil {
		t.Fatal(err)
	}
	return os.SameFile(infoA, infoB)
}
