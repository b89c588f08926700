// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

// IPForwarding looks at the interface by which the pod's packets enter the node: that
// is all the kernel asks for IPv4 (ip_route_input_slow). ip_forward sets it for all
// interfaces, and conf/default for those to come.
var IPForwarding = &Check{
	ID:      "CG301",
	Name:    "ip-forwarding",
	Summary: "Pods cannot reach anything outside their node, and connections time out, because the node does not forward their packets.",
	Detection: "For IPv4: `forwarding` below /proc/sys/net/ipv4/conf is 0 for the node's end of the pod's veth or, where that is a port, for its bridge or VRF. Where /proc/sys/net/ipv4/ip_forward is 0, too, that is the cause. STATUS and `guardctl doctor` judge by the pods on record, and look at conf/default, which new interfaces get. " +
		"`guardctl doctor` also looks at tunnels with pod routes and at the interface of the default route. For IPv6 only /proc/sys/net/ipv6/conf/all/forwarding counts (or, since Linux 6.17, force_forwarding of the interface). Ports of Open vSwitch are left out, as are bridges that are not the pod's router.",
	Remedy: "Set net.ipv4.ip_forward = 1 in a file of /etc/sysctl.d that sorts last, and look for what sets it to 0: a hardening role, an agent that applies CIS rules, or IPForward= and IPv4Forwarding= of systemd-networkd. " +
		"Keep in mind that a node with net.ipv6.conf.all.forwarding = 1 ignores router advertisements, unless accept_ra of its interface is 2.",
	When:    guard.Add | guard.Status | guard.Node,
	Default: guard.Warn,
	Needs:   []*Check{StaleNetns, HostNetns, ForeignNetns},
	Probe:   probeIPForwarding,
	Repair:  repairIPForwarding,
}

const (
	ipForward    = "net/ipv4/ip_forward"
	newForward   = "net/ipv4/conf/default/forwarding"
	ip6ForwardTo = "net/ipv6/conf/all/forwarding"
)

func forwardingOf(link string) string { return "net/ipv4/conf/" + link + "/forwarding" }

// A blocked is a sysctl that keeps packets of pods from being forwarded.
type blocked struct {
	sysctl string
	object string // for people: "node/veth12"
	impact string // a clause
	repair bool   // setting it to 1 is safe
	minor  bool
}

func probeIPForwarding(ctx context.Context, t *Target) ([]guard.Finding, error) {
	all, err := t.blocked(ctx)
	findings := make([]guard.Finding, len(all))
	for i, b := range all {
		findings[i] = b.finding(t)
	}
	return findings, err
}

func (b blocked) finding(t *Target) guard.Finding {
	command := fmt.Sprintf("sysctl -w %s=1", printable.Word(b.sysctl)) // with slashes, as a name may have dots
	f := guard.Finding{
		Object: b.object, Problem: "does not forward",
		Evidence: fmt.Sprintf("/proc/sys/%s = 0%s", b.sysctl, b.before(t)),
		Impact:   b.impact, Command: command, Remedy: "Run: " + command + ".", Minor: b.minor,
	}
	if b.repair {
		f.Change = fmt.Sprintf("/proc/sys/%s: 0 -> 1", b.sysctl)
	}
	if b.sysctl == ip6ForwardTo {
		f.Problem, f.Command = "does not forward IPv6", ""
		f.Remedy = "Set accept_ra of the interface of the default route to 2 first if the node has its IPv6 address from router advertisements; then run: sysctl -w " + b.sysctl + "=1."
	}
	return f
}

// counted is what repairs are counted by: the interfaces of pods come and go.
func (b blocked) counted() string {
	if b.sysctl == ipForward {
		return ipForward
	}
	return forwardingOf("*")
}

// before returns a clause that says how often this was repaired before.
func (b blocked) before(t *Target) string {
	if b.sysctl == ipForward {
		return t.repairs("ip-forwarding").before(b.counted(), "; cni-guard has set it %s, and something sets it back")
	}
	return t.repairs("ip-forwarding").before(b.counted(), "; cni-guard has repaired other interfaces %s")
}

// blocked returns the sysctls that are 0 and should not be. The error is guard.Skip's
// where the node routes no pod.
func (t *Target) blocked(ctx context.Context) ([]blocked, error) {
	if t.Netns != nil {
		end, err := t.nodeEnd()
		if err != nil {
			return nil, err
		}
		return t.blockedFor(end)
	}
	return t.blockedOnNode(ctx)
}

// blockedFor returns what is in the way of one pod.
func (t *Target) blockedFor(end nodeEnd) ([]blocked, error) {
	if len(end.want.Addrs) == 0 {
		return nil, guard.Skip("the result has no address of " + end.pod)
	}
	entry, err := entryOf(end)
	if err != nil {
		return nil, err
	}
	var all []blocked
	if end.has(false) {
		if all, err = t.blocked4(end, entry); err != nil {
			return nil, err
		}
	}
	if end.has(true) {
		more, err := t.blocked6(end, entry)
		if err != nil {
			return all, err
		}
		all = append(all, more...)
	}
	return all, nil
}

// entryOf returns the interface by which the pod's packets enter the routing of the
// node. A bridge takes the packets of its ports for its own, and so does a VRF.
func entryOf(end nodeEnd) (netstate.Link, error) {
	switch {
	case end.Master == 0:
		return end.Link, nil
	case slices.Contains([]string{"bridge", "vrf"}, end.master.Kind):
		return end.master, nil
	}
	return netstate.Link{}, guard.Skip(fmt.Sprintf("%s, the node's end of %s, is a port of %s, %s, which does not leave its packets to the routing of the node", end.Name, end.pod, end.master.Name, kindWords(end.master.Kind)))
}

// routes reports whether packets of the family that enter there are for the node to
// route: those of a bridge are if the bridge is the router.
func (t *Target) routes(end nodeEnd, entry netstate.Link, six bool) (bool, error) {
	if entry.Kind != "bridge" {
		return true, nil
	}
	return t.routedBy(end, entry.Name, six)
}

func (t *Target) blocked4(end nodeEnd, entry netstate.Link) ([]blocked, error) {
	if on, err := t.Node.Forwards4(entry); err != nil || on {
		return nil, err
	}
	switch routed, err := t.routes(end, entry, false); {
	case err != nil:
		return nil, err
	case !routed:
		return nil, guard.Skip(fmt.Sprintf("bridge %s is not the router of %s", entry.Name, end.pod))
	}
	value, err := t.Node.Sysctl(ipForward)
	if err != nil {
		return nil, err
	}
	impact := fmt.Sprintf("%s reaches nothing beyond the node", end.pod)
	if value == "0" {
		return []blocked{{sysctl: ipForward, object: "node", impact: impact, repair: true}}, nil
	}
	if value, err := t.Node.Sysctl(newForward); err == nil && value == "0" {
		impact += fmt.Sprintf("; ip_forward = 1, but each new interface begins like this, as /proc/sys/%s = 0", newForward)
	} else {
		impact += "; ip_forward = 1"
	}
	return []blocked{{sysctl: forwardingOf(entry.Name), object: "node/" + entry.Name, impact: impact, repair: entry.Name == end.Name || end.named(entry.Name)}}, nil
}

// blocked6 asks for all interfaces, which is all that the kernel asks (ip6_forward),
// until Linux 6.17 gave each interface a force_forwarding.
func (t *Target) blocked6(end nodeEnd, entry netstate.Link) ([]blocked, error) {
	if on, err := t.Node.Forwards6(); err != nil || on {
		return nil, err
	}
	forced, err := t.Node.Sysctl("net/ipv6/conf/" + entry.Name + "/force_forwarding")
	if err == nil && forced == "1" {
		return nil, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	switch routed, err := t.routes(end, entry, true); {
	case err != nil:
		return nil, err
	case !routed:
		return nil, guard.Skip(fmt.Sprintf("bridge %s is not the router of %s", entry.Name, end.pod))
	}
	return []blocked{{sysctl: ip6ForwardTo, object: "node", impact: fmt.Sprintf("%s reaches nothing beyond the node by IPv6", end.pod)}}, nil
}

// repairIPForwarding sets what is safe to set: ip_forward, as the plugins bridge and
// ptp do at every ADD, and the file of the interface itself. ip_forward is never
// written where it is 1: that changes nothing, and to toggle it sets all interfaces.
// IPv6 is left alone, as the node would forget the routes it has from router
// advertisements.
func repairIPForwarding(ctx context.Context, t *Target) error {
	all, err := t.blocked(ctx)
	if guard.Skips(err) {
		err = nil
	}
	for _, b := range all {
		if !b.repair {
			continue
		}
		set := t.Node.SetSysctl(b.sysctl, "1")
		if set == nil {
			t.repairs("ip-forwarding").add(b.counted(), t.now())
		}
		err = errors.Join(err, set)
	}
	return err
}
