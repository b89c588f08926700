// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/node"
)

// After a reboot there are no records of what ran before it, and the primary, like
// Calico, reported no MAC. The process ID goes to a process of a pod that has
// started since.
func TestProcessIDReusedAfterRebootWithoutMAC(t *testing.T) {
	lose := func(t *testing.T, with setting) (s *rig, neighbour string) {
		s = newRig(t, with)
		p := s.hold()
		s.forgetMACs()
		s.end(p)
		s.loseState()
		neighbour = s.neighbour()
		s.reuseWithin(neighbour, p.PID)
		return s, neighbour
	}
	t.Run("bare", func(t *testing.T) {
		s, neighbour := lose(t, bareInternalLoopback)
		s.remove()
		s.wantCutOff(neighbour)
	})
	t.Run("guarded", func(t *testing.T) {
		s, neighbour := lose(t, guarded)
		before := s.snapshot(neighbour)
		s.wantReleased(s.remove())
		s.wantSame(neighbour, before)
	})
}

// A StatefulSet's pod keeps its MAC and address (kubeovn/kube-ovn#897), and its next
// sandbox is there before the DEL of the last one, whose path leads to it.
func TestNextSandboxOfSamePod(t *testing.T) {
	lose := func(t *testing.T, with setting) (s *rig, next string) {
		s = newRig(t, with)
		pin := s.pin()
		next = s.neighbour()
		takeInterface(t, next, s.result.Interfaces[1].Mac, s.result.IPs[0].Address)
		if err := pin.PointAt(next); err != nil {
			t.Fatal(err)
		}
		s.lost()
		return s, next
	}
	t.Run("bare", func(t *testing.T) {
		s, next := lose(t, bareInternalLoopback)
		s.remove()
		s.wantCutOff(next)
	})
	t.Run("guarded", func(t *testing.T) {
		s, next := lose(t, guarded)
		before := s.snapshot(next)
		s.wantReleased(s.remove())
		s.wantSame(next, before)
	})
}

// KubeVirt's bridge binding takes the interface out of the pod's sight: a bridge has
// it as a port, another has its name and address and another MAC. That is the pod's
// own sandbox, whether or not it is on record.
func TestVirtualMachineSwapsInterface(t *testing.T) {
	for name, age := range map[string]func(*rig){
		"on record":  func(*rig) {},
		"state lost": (*rig).loseState,
	} {
		t.Run(name, func(t *testing.T) {
			s := newRig(t, guarded)
			pin := s.pin()
			swapInterface(t, pin.Path, s.result.IPs[0].Address)
			age(s)
			removal := s.remove()
			if len(removal.Said) > 0 {
				t.Errorf("the DEL of the pod's own sandbox was answered: %v", removal.Said)
			}
			s.wantReleased(removal)
		})
	}
}

// The state directory is lost while pods run. Each is known by its address: the DEL of
// one is an ordinary one, and one whose path leads to another stops before it.
func TestStateLostWhilePodsRun(t *testing.T) {
	t.Run("its own", func(t *testing.T) {
		s := newRig(t, guarded)
		neighbour := s.neighbour()
		s.hold()
		s.loseState()
		before := s.snapshot(neighbour)
		removal := s.remove()
		if len(removal.Said) > 0 {
			t.Errorf("the DEL of the pod's own sandbox was answered: %v", removal.Said)
		}
		s.wantReleased(removal)
		s.wantSame(neighbour, before)
	})
	t.Run("another pod", func(t *testing.T) {
		s := newRig(t, guarded)
		neighbour := s.neighbour()
		p := s.hold()
		s.loseState()
		s.end(p)
		s.reuseWithin(neighbour, p.PID)
		before := s.snapshot(neighbour)
		s.wantReleased(s.remove())
		s.wantSame(neighbour, before)
	})
}

// loseState empties the guard's state directory, as a reboot does.
func (s *rig) loseState() {
	s.Helper()
	if err := os.RemoveAll(filepath.Join(s.Dir, "state")); err != nil {
		s.Fatal(err)
	}
}

// forgetMACs takes the MACs out of the result that the runtime kept of the subject.
func (s *rig) forgetMACs() {
	s.Helper()
	path := filepath.Join(s.Dir, "cache", "results", strings.Join([]string{chain.Name, s.pod.ID, "eth0"}, "-"))
	data, err := os.ReadFile(path)
	if err != nil {
		s.Fatal(err)
	}
	entry := map[string]any{}
	if err := json.Unmarshal(data, &entry); err != nil {
		s.Fatal(err)
	}
	for _, iface := range entry["result"].(map[string]any)["interfaces"].([]any) {
		delete(iface.(map[string]any), "mac")
	}
	if data, err = json.Marshal(entry); err != nil {
		s.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		s.Fatal(err)
	}
}

// takeInterface returns eth0 of a sandbox a MAC and an address, in the place of its own.
func takeInterface(t *testing.T, netns, mac string, address net.IPNet) {
	t.Helper()
	hardware, err := net.ParseMAC(mac)
	if err != nil {
		t.Fatal(err)
	}
	err = node.Within(netns, func() error {
		link, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		if err := netlink.LinkSetHardwareAddr(link, hardware); err != nil {
			return err
		}
		old, err := netlink.AddrList(link, netlink.FAMILY_V4)
		if err != nil {
			return err
		}
		for _, a := range old {
			if err := netlink.AddrDel(link, &a); err != nil {
				return err
			}
		}
		return netlink.AddrAdd(link, &netlink.Addr{IPNet: &address})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// swapInterface makes a sandbox what KubeVirt's bridge binding makes of it.
func swapInterface(t *testing.T, netns string, address net.IPNet) {
	t.Helper()
	err := node.Within(netns, func() error {
		eth0, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		bridge := &netlink.Bridge{LinkAttrs: netlink.NewLinkAttrs()}
		bridge.Name = "k6t-eth0"
		dummy := &netlink.Veth{LinkAttrs: netlink.NewLinkAttrs(), PeerName: "idle"} // not every kernel has dummies
		dummy.Name = "eth0"
		for _, do := range []func() error{
			func() error { return netlink.LinkSetDown(eth0) },
			func() error { return netlink.LinkSetName(eth0, "eth0-nic") },
			func() error { return netlink.LinkAdd(bridge) },
			func() error { return netlink.LinkSetMaster(eth0, bridge) },
			func() error { return netlink.LinkSetUp(eth0) },
			func() error { return netlink.LinkAdd(dummy) },
			func() error { return netlink.AddrAdd(dummy, &netlink.Addr{IPNet: &address}) },
		} {
			if err := do(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
