// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"testing"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/rigtest"
)

// The reference loopback takes the node's lo down at a DEL for a lost pod; the
// operator hears of it from the self-test, not from the node.
func TestReferenceLoopback(t *testing.T) {
	n := newInstallation(t, rigtest.RefDir(t), "ptp", "host-local", "loopback")
	n.install(rigtest.GuardDir(t), "cni-guard", "guardctl")
	a := n.verify()
	a.want(1, "failed")
	a.wantSaw("loopback leaves the node's lo up", "failed", "takes the node's lo down")
	a.wantMeans("loopback leaves the node's lo up", "this node's lo goes DOWN")
	a.wantSaw("a pod starts and stops", "ok", "the address is freed")
	a.wantSaw("a pod whose path leads to the node is removed", "ok", "released without the namespace")
}

func TestOurLoopback(t *testing.T) {
	n := newInstallation(t, rigtest.RefDir(t), "ptp", "host-local")
	n.install(rigtest.GuardDir(t), "cni-guard", "guardctl", "loopback")
	t.Setenv("CNI_NETNS_OVERRIDE", "1") // of the operator's shell, not of a runtime
	a := n.verify()
	a.want(0, "ok")
	a.wantSaw("loopback leaves the node's lo up", "ok", "does not touch the node's lo")
	a.wantSaw("a pod whose path leads to the node is removed", "ok", "released without the namespace")
}

func TestOurProgramsAlone(t *testing.T) {
	n := newInstallation(t, rigtest.GuardDir(t), "cni-guard", "guardctl", "loopback")
	a := n.verify()
	a.want(0, "ok")
	a.wantSaw("a pod starts and stops", "skipped", "no ptp and host-local")
	a.wantSaw("a pod whose path leads to the node is removed", "ok", "there was no address to free")
}

func TestNoGuardctl(t *testing.T) {
	n := newInstallation(t, rigtest.RefDir(t), "ptp", "host-local")
	n.copy(rigtest.GuardDir(t), "cni-guard") // a link would lead to the directory with guardctl
	a := n.verify()
	a.want(1, "failed")
	a.wantSaw("guardctl is installed beside it", "failed", "no guardctl in ")
	a.wantSaw("a pod whose path leads to the node is removed", "failed", "refused, not released")
}

// The plugins of a chain do on the private node what they would do on the real
// one: rules, bridges, forwarding.
func TestChainOfTheNode(t *testing.T) {
	n := newInstallation(t, rigtest.RefDir(t), "bridge", "host-local", "portmap", "firewall", "tuning", "loopback")
	n.install(rigtest.GuardDir(t), "cni-guard", "guardctl")
	file := n.conflist("pods", chain.Bridge(chain.HostLocal(t.TempDir())).With("ipMasq", true),
		chain.Portmap(), chain.Firewall(), chain.Tuning(), chain.Guard(t.TempDir()))
	a := n.verify("--chain", file)
	a.want(1, "failed") // for the loopback
	for _, step := range []string{"the chain ends with cni-guard", "the configuration of cni-guard in the chain", "a pod of the chain starts and stops"} {
		a.wantSaw(step, "ok", "cni-guard")
	}
	a.wantSaw("a pod of the chain whose path leads to the node is removed", "ok", "released without the namespace")
}

// macvlan wants the node's eth0, which only the real node has.
func TestChainThatNeedsTheNode(t *testing.T) {
	n := newInstallation(t, rigtest.RefDir(t), "macvlan", "host-local")
	n.install(rigtest.GuardDir(t), "cni-guard", "guardctl")
	n.conflist("lan", chain.Macvlan(chain.HostLocal(t.TempDir())), chain.Guard(t.TempDir()))
	a := n.verify("--chain", "lan", "--conf-dir", n.confDir)
	a.want(2, "could not tell")
	a.wantSaw("a pod of the chain starts and stops", "could not tell", `plugin type="macvlan"`)
}

// A chain whose guard is not asked first on DEL: what stands behind it acts on
// the node, here by taking its lo down.
func TestChainThatHarms(t *testing.T) {
	n := newInstallation(t, rigtest.RefDir(t), "bridge", "host-local", "loopback")
	n.install(rigtest.GuardDir(t), "cni-guard", "guardctl")
	file := n.conflist("pods", chain.Bridge(chain.HostLocal(t.TempDir())), chain.Guard(t.TempDir()), chain.Plugin{"type": "loopback"})
	a := n.verify("--chain", file)
	a.want(1, "failed")
	a.wantSaw("the chain ends with cni-guard", "failed", "loopback comes after cni-guard")
	a.wantSaw("a pod of the chain whose path leads to the node is removed", "failed", "the node's lo is DOWN after DEL")
}
