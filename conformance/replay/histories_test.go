// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/node"
	"github.com/cni-guard/cni-guard/conformance/rigtest"
)

// A sample of random histories on the kernel, with the built programs and the
// reference plugins; plugins/cni-guard plays thousands on a model. After each step
// every pod that lives must have its interface, its lo, its address and its rules,
// and so must the node. Those of no other pod, and no DEL of a healthy pod may be
// answered as one of a pod that is lost.
func TestHistoriesOnKernel(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			r := rigtest.New(t)
			h := &histories{rig: withChain(t, r, guarded, "1.0.0", chain.PTP(r.HostLocal()), chain.Firewall())}
			h.runtime.InternalLoopback()
			random := rand.New(rand.NewPCG(seed, 7))
			steps := []string{"add", "add", "lose pod", "delete", "delete", "release by hand", "change mac", "lose state"}
			var played []string
			for range 14 {
				s := steps[random.IntN(len(steps))]
				who := random.IntN(1000)
				played = append(played, fmt.Sprintf("%s %d", s, who))
				if err := errors.Join(h.step(s, who), h.wrong()); err != nil {
					t.Fatalf("%v\nafter: %s", err, strings.Join(played, ", "))
				}
			}
		})
	}
}

// histories is a node with pods that come and go.
type histories struct {
	*rig
	added int
	pods  []*member
}

// A member is a pod that the runtime knows.
type member struct {
	chain.Pod
	pin     *node.Pin
	address string
	lives   bool
}

func (h *histories) step(name string, who int) error {
	if name == "add" {
		return h.addMember()
	}
	if name == "lose state" {
		h.loseState()
		return nil
	}
	if len(h.pods) == 0 {
		return nil
	}
	m := h.pods[who%len(h.pods)]
	switch name {
	case "lose pod":
		return h.lose(m, who)
	case "delete":
		return h.delete(m)
	case "release by hand":
		return h.releaseByHand(m)
	case "change mac":
		if !m.lives {
			return nil
		}
		return changeMAC(m.pin.Path, byte(who))
	}
	return fmt.Errorf("there is no step %q", name)
}

func (h *histories) addMember() error {
	h.added++
	id := fmt.Sprintf("pod%d", h.added)
	pin, err := node.NewPin("cni-" + id)
	if err != nil {
		return err
	}
	h.Cleanup(func() { _ = pin.Remove() }) // fails where a step removed it
	// The runtime makes lo in this suite's place of its own loopback network.
	if err := node.Within(pin.Path, loUp); err != nil {
		return err
	}
	m := &member{Pod: chain.Pod{ID: id, Netns: pin.Path}, pin: pin, lives: true}
	result, err := h.runtime.Add(h.Context(), m.Pod)
	if err != nil {
		return err
	}
	m.address = chain.Address(result)
	h.pods = append(h.pods, m)
	return nil
}

func loUp() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(lo)
}

// lose ends a pod and lets its path lead to the node, to another pod, or nowhere.
func (h *histories) lose(m *member, who int) error {
	if !m.lives {
		return nil
	}
	m.lives = false
	targets := []string{"", h.Node.Path}
	for _, other := range h.pods {
		if other.lives {
			targets = append(targets, other.pin.Path)
		}
	}
	if to := targets[who/7%len(targets)]; to != "" {
		return m.pin.PointAt(to)
	}
	return m.pin.Remove()
}

func (h *histories) delete(m *member) error {
	removal := h.runtime.Remove(h.Context(), m.Pod)
	if !removal.Complete() {
		return fmt.Errorf("the removal of %s is to be tried again: %w", m.ID, removal.Err)
	}
	if m.lives && len(removal.Said) > 0 {
		return fmt.Errorf("the DEL of %s, which was healthy, was answered: %w", m.ID, errors.Join(removal.Said...))
	}
	if held := h.leases(m.Pod); held != "" {
		return fmt.Errorf("%s still has %s", m.ID, held)
	}
	m.lives = false
	h.pods = slices.DeleteFunc(h.pods, func(other *member) bool { return other == m })
	_ = m.pin.Remove() // fails where losing the pod removed it
	return nil
}

// releaseByHand is what an operator does with a pod that is thought to be lost.
func (h *histories) releaseByHand(m *member) error {
	cmd := exec.Command(filepath.Join(rigtest.GuardDir(h), "guardctl"), "release",
		"--container-id", m.ID, "--network", chain.Name,
		"--cache-dir", filepath.Join(h.Dir, "cache"), "--conf-dir", filepath.Join(h.Dir, "conf"),
		"--state-dir", filepath.Join(h.Dir, "state"),
		"--bin-dir", rigtest.GuardDir(h)+":"+rigtest.RefDir(h))
	out, err := cmd.CombinedOutput()
	if m.lives && err == nil {
		return fmt.Errorf("%s was released while it lives:\n%s", m.ID, out)
	}
	return nil
}

func changeMAC(netns string, last byte) error {
	return node.Within(netns, func() error {
		link, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		return netlink.LinkSetHardwareAddr(link, net.HardwareAddr{2, 0, 0, 0, 9, last})
	})
}

// wrong reports what a pod that lives, or the node, has lost.
func (h *histories) wrong() error {
	if f := h.look(h.Node.Path); !f.LoUp || !f.HasEth0 {
		return fmt.Errorf("the node has %+v", f)
	}
	for _, m := range h.pods {
		if !m.lives {
			continue
		}
		if f := h.look(m.pin.Path); !f.LoUp || !f.HasEth0 {
			return fmt.Errorf("%s has %+v", m.ID, f)
		}
		if held := h.leases(m.Pod); held != m.address {
			return fmt.Errorf("%s has address %s, and the lease is %q", m.ID, m.address, held)
		}
		rules, err := node.FilterRules(m.address + "/")
		if err != nil {
			return err
		}
		if len(rules) == 0 {
			return fmt.Errorf("%s has lost the rules for %s", m.ID, m.address)
		}
	}
	return nil
}
