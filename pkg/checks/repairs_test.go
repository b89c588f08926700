// SPDX-License-Identifier: Apache-2.0

package checks_test

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// lostPods is a node with a pod whose port, bridge setting and forwarding were lost.
const lostPods = `
link lo index 1 up
link cni0 index 8 kind bridge up
addr 10.244.1.1/24 dev cni0
link veth1.2 index 17 kind veth peer 2 up
chain nft ip nat KUBE-SERVICES
sysctl net/ipv4/ip_forward = 0
sysctl net/ipv4/conf/default/forwarding = 0
sysctl net/ipv4/conf/cni0/forwarding = 0
sysctl net/ipv4/conf/veth1.2/forwarding = 0
sysctl net/bridge/bridge-nf-call-iptables = 0
`

// addTo runs the three checks of the node's end as an ADD does, on a node in a state.
func addTo(t *testing.T, text, stateDir string, settings guard.Settings) (guard.Report, *netstate.Fake) {
	t.Helper()
	target, node := addOn(t, text, stateDir)
	suite := []*checks.Check{independent(checks.BridgePort), independent(checks.BridgeNetfilter), independent(checks.IPForwarding)}
	return guard.Run(t.Context(), suite, guard.Add, settings, target), node
}

// addOn makes the target of an ADD on a node in a state.
func addOn(t *testing.T, text, stateDir string) (*checks.Target, *netstate.Fake) {
	t.Helper()
	node, err := netstate.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	pod, err := netstate.Parse("link lo index 1 up\nlink eth0 index 2 kind veth peer 17 up\naddr 10.244.1.7/24 dev eth0\nroute default via 10.244.1.1 dev eth0\n")
	if err != nil {
		t.Fatal(err)
	}
	return &checks.Target{
		IfName: "eth0", Netns: &netstate.Netns{Path: "/run/netns/pod", Kind: netstate.Sandbox}, Pod: pod, Node: node, StateDir: stateDir,
		Want: checks.Interface{Addrs: []netip.Prefix{netip.MustParsePrefix("10.244.1.7/24")}, Links: []string{"cni0", "veth1.2"}},
	}, node
}

// independent returns the check without those that it needs.
func independent(c *checks.Check) *checks.Check {
	check := *c
	check.Needs = nil
	return &check
}

// One ADD repairs all three, one after the other, and says what it changed.
func TestRepairsOfNodeEnd(t *testing.T) {
	report, node := addTo(t, lostPods, t.TempDir(), guard.Settings{})
	want := []string{"master of veth1.2: none -> cni0", "nf_call_iptables of cni0: 0 -> 1", "/proc/sys/net/ipv4/ip_forward: 0 -> 1"}
	for i, o := range report.Outcomes {
		if changes := o.Changes(); o.State != guard.Repaired || len(changes) != 1 || changes[0] != want[i] {
			t.Errorf("%s has %v and changed %q; want %q", o.Check, o.State, changes, want[i])
		}
	}
	if report, _ := addTo(t, node.String(), t.TempDir(), guard.Settings{}); len(report.Noteworthy()) > 0 {
		t.Errorf("after the repair the next ADD has\n%s", report)
	}
	if text := node.String(); !strings.Contains(text, "bridge-nf-call-iptables = 0") {
		t.Errorf("the setting of all bridges was written:\n%s", text)
	}
}

// Audit repairs nothing, and writes nothing.
func TestAuditRepairsNothing(t *testing.T) {
	state := t.TempDir()
	report, node := addTo(t, lostPods, state, guard.Settings{Audit: true})
	before, err := netstate.Parse(lostPods)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := node.String(), before.String(); got != want {
		t.Errorf("audit changed the node:\n%s\nwas\n%s", got, want)
	}
	if o := report.Outcomes[0]; o.State != guard.Failed {
		t.Errorf("%s has %v", o.Check, o.State)
	}
	counts, err := filepath.Glob(filepath.Join(state, "*", "repairs.json"))
	if err != nil || len(counts) > 0 {
		t.Errorf("audit counted repairs: %q, %v", counts, err)
	}
}

// Without br_netfilter the setting of a bridge has no effect, and is left as it is.
func TestUnloadedModuleIsLeft(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "sys", "module", "bridge"), 0o700); err != nil {
		t.Fatal(err)
	}
	target, node := addOn(t, strings.Replace(lostPods, "sysctl net/bridge/bridge-nf-call-iptables = 0\n", "", 1), t.TempDir())
	target.Root = root
	report := guard.Run(t.Context(), []*checks.Check{independent(checks.BridgePort), independent(checks.BridgeNetfilter)}, guard.Add, guard.Settings{}, target)
	if o := report.Outcomes[1]; o.State != guard.Failed || o.Err != nil || !strings.Contains(o.Sentence(), "br_netfilter is not loaded") {
		t.Errorf("the check has %v: %s, error %v", o.State, o.Sentence(), o.Err)
	}
	if text := node.String(); strings.Contains(text, "nf_call_iptables") {
		t.Errorf("the bridge was changed:\n%s", text)
	}
}

// A value that is undone again is reported with how often it was repaired.
func TestUndoneAgain(t *testing.T) {
	state := t.TempDir()
	for range 3 {
		addTo(t, lostPods, state, guard.Settings{})
	}
	report, _ := addTo(t, lostPods, state, guard.Settings{})
	for i, part := range []string{
		"cni-guard has repaired ports of cni0 3 times since 2",
		"; cni-guard has set it 3 times since 2",
		"; cni-guard has set it 3 times since 2",
	} {
		if said := report.Outcomes[i].Details(); !strings.Contains(said, part) {
			t.Errorf("the fourth time it says %q, without %q", said, part)
		}
	}
	// What cannot be read is counted from the start.
	if err := os.WriteFile(filepath.Join(state, "ip-forwarding", "repairs.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	addTo(t, lostPods, state, guard.Settings{})
	report, _ = addTo(t, lostPods, state, guard.Settings{})
	if said := report.Outcomes[2].Details(); !strings.Contains(said, "has set it once since 2") {
		t.Errorf("after the count was lost it says %q", said)
	}
}

// The ports of pods on record are looked at once in 30 s, and at once where the
// pod's own port was taken, or systemd-networkd has started.
func TestPortsOfOthers(t *testing.T) {
	const others = "link veth3 index 18 kind veth peer 2 up\n"
	state, root := t.TempDir(), t.TempDir()
	add := func(text string) (repaired bool) {
		t.Helper()
		target, node := addOn(t, text+others, state)
		target.Root = root
		target.Attached = func(context.Context) ([]checks.Attachment, error) {
			return []checks.Attachment{{Pod: "default/db", IfName: "eth0", Interface: checks.Interface{Links: []string{"cni0", "veth3"}}}}, nil
		}
		guard.Run(t.Context(), []*checks.Check{independent(checks.BridgePort)}, guard.Add, guard.Settings{}, target)
		link, err := node.Link("veth3")
		if err != nil {
			t.Fatal(err)
		}
		return link.Master == 8
	}
	well := strings.Replace(lostPods, "link veth1.2 index 17 kind veth peer 2 up", "link veth1.2 index 17 kind veth peer 2 up master 8", 1)
	if !add(well) {
		t.Error("the first ADD does not repair the port of the other pod")
	}
	if add(well) {
		t.Error("an ADD right after it looks at the other pod again")
	}
	if !add(lostPods) {
		t.Error("an ADD whose own port was taken does not look at the other pod")
	}
	started := filepath.Join(root, "run/systemd/units/invocation:systemd-networkd.service")
	if err := errors.Join(os.MkdirAll(filepath.Dir(started), 0o755), os.Symlink("8a6f4c2b", started)); err != nil {
		t.Fatal(err)
	}
	at := func(ago time.Duration) {
		t.Helper()
		when := unix.NsecToTimespec(time.Now().Add(-ago).UnixNano())
		if err := unix.UtimesNanoAt(unix.AT_FDCWD, started, []unix.Timespec{when, when}, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			t.Fatal(err)
		}
	}
	if at(time.Second); !add(well) {
		t.Error("an ADD after systemd-networkd started does not look at the other pod")
	}
	if at(time.Second); !add(well) {
		t.Error("an ADD soon after it does not look at the other pod again: systemd-networkd may not have been done before")
	}
	if at(20 * time.Second); add(well) {
		t.Error("an ADD long after systemd-networkd started looks at the other pod again")
	}
	if at(-time.Hour); add(well) {
		t.Error("each ADD looks at the other pod where the clock was set back")
	}
}
