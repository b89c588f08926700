// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// BridgeNetfilter checks for Services whose backend is on the same bridge as the
// client. Other traffic does not need the setting: on a node without kube-proxy, or whose pods
// are on no Linux bridge, 0 is right (kubernetes/kubernetes#123464).
var BridgeNetfilter = &Check{
	ID:      "CG302",
	Name:    "bridge-netfilter",
	Summary: "A pod gets no answer from a Service when the Service selects a pod on the same node, but does when it selects a pod on another node.",
	Detection: "The node's end of the pod's veth is a port of a Linux bridge that is the pod's router, kube-proxy has rules on the node (the chain KUBE-SERVICES of iptables, the table kube-proxy of nftables, or the device kube-ipvs0), " +
		"and the packets that the bridge forwards do not pass through them: neither /proc/sys/net/bridge/bridge-nf-call-iptables nor the bridge's own nf_call_iptables is 1 (`ip -d link show BRIDGE`), or br_netfilter is not loaded. For pods with IPv6 likewise bridge-nf-call-ip6tables.",
	Remedy:  "Set net.bridge.bridge-nf-call-iptables = 1 in a file of /etc/sysctl.d, and name br_netfilter in a file of /etc/modules-load.d; without that, the setting is lost at the next boot.",
	When:    guard.Add | guard.Node,
	Default: guard.Warn,
	Needs:   []*Check{StaleNetns, HostNetns, ForeignNetns},
	Probe:   probeBridgeNetfilter,
	Repair:  repairBridgeNetfilter,
}

// A bypass is a bridge whose packets do not pass through kube-proxy's rules.
type bypass struct {
	bridge   string
	six      bool
	rules    string // kube-proxy's
	unloaded bool   // br_netfilter is not loaded
}

func probeBridgeNetfilter(ctx context.Context, t *Target) ([]guard.Finding, error) {
	all, err := t.bypasses(ctx)
	findings := make([]guard.Finding, len(all))
	for i, b := range all {
		findings[i] = b.finding(t)
	}
	return findings, err
}

// bypasses returns what is wrong, each bridge once for a family. Where the sysctl is
// 1, as on most nodes, no more is asked.
func (t *Target) bypasses(ctx context.Context) ([]bypass, error) {
	ends, err := t.nodeEnds(ctx)
	if err != nil {
		return nil, err
	}
	skip := guard.Skip("no pod that is looked at is on a Linux bridge")
	var all []bypass
	type key struct {
		bridge string
		six    bool
	}
	seen := map[key]bool{}
	for _, end := range ends {
		if end.master.Kind != "bridge" {
			continue
		}
		for _, six := range end.families() {
			k := key{end.master.Name, six}
			if seen[k] {
				continue
			}
			b, err := t.bypassOf(end, six)
			switch {
			case guard.Skips(err):
				skip = err // another pod on the bridge may be routed by it
				continue
			case err != nil:
				return all, err
			case b != nil:
				all = append(all, *b)
			}
			seen[k] = true
		}
	}
	if len(seen) > 0 {
		skip = nil
	}
	return all, skip
}

// bypassOf returns what is wrong for one end, or nil. The error is guard.Skip's where
// the rules of kube-proxy do not matter to the pod.
func (t *Target) bypassOf(end nodeEnd, six bool) (*bypass, error) {
	b := &bypass{bridge: end.master.Name, six: six}
	value, err := t.Node.Sysctl(b.sysctl())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := t.unloaded("br_netfilter"); err != nil {
			return nil, fmt.Errorf("tell whether br_netfilter is loaded: %w", err)
		}
		b.unloaded = true
	case err != nil:
		return nil, err
	case value == "1":
		return nil, nil
	default:
		bridge, err := t.Node.Bridge(b.bridge)
		if err != nil || bridge.NFCall(six) {
			return nil, err
		}
	}
	routed, err := t.routedBy(end, b.bridge, six)
	if err != nil {
		return nil, err
	}
	if !routed {
		return nil, guard.Skip(fmt.Sprintf("bridge %s is not the router of %s, so that its packets to Services take another way", b.bridge, end.pod))
	}
	b.rules, err = t.serviceRules(six)
	if err == nil && b.rules == "" {
		err = guard.Skip("kube-proxy has no rules on the node")
	}
	return b, err
}

// unloaded returns nil where a module is neither loaded nor part of the kernel, as
// far as its sysctl, which is missing, and /sys tell. Before Linux 5.3 the sysctl of
// br_netfilter is in the first network namespace only, so that a node which is a
// container does not show it.
func (t *Target) unloaded(module string) error {
	if _, err := t.Node.Sysctl("net/ipv4/ip_forward"); err != nil {
		return err // then the missing one means nothing
	}
	const modules = "/sys/module"
	if there, err := t.host().Exists(modules); err != nil || !there {
		return cmp.Or(err, errors.New("read modules: there is no "+modules))
	}
	if there, err := t.host().Exists(modules + "/" + module); err == nil && there {
		return errors.New("the module is there and its sysctls are not, as before Linux 5.3 in a container")
	}
	return nil
}

func (b bypass) sysctl() string {
	if b.six {
		return "net/bridge/bridge-nf-call-ip6tables"
	}
	return "net/bridge/bridge-nf-call-iptables"
}

func (b bypass) setting() string {
	if b.six {
		return "nf_call_ip6tables"
	}
	return "nf_call_iptables"
}

func (b bypass) finding(t *Target) guard.Finding {
	const impact = "a pod gets no answer from a Service that chooses a pod on the same node"
	if b.unloaded {
		return guard.Finding{
			Object:  "node/" + b.bridge,
			Problem: fmt.Sprintf("bypasses the rules of kube-proxy (%s), as br_netfilter is not loaded", b.rules), Impact: impact,
			Evidence: fmt.Sprintf("/proc/sys/%s does not exist", b.sysctl()),
			Command:  loadBridgeNetfilter, Remedy: "Run: " + loadBridgeNetfilter + ".",
		}
	}
	command := fmt.Sprintf("sysctl -w %s=1", b.sysctl())
	return guard.Finding{
		Object:  "node/" + b.bridge,
		Problem: fmt.Sprintf("bypasses the rules of kube-proxy (%s)", b.rules), Impact: impact,
		Evidence: fmt.Sprintf("/proc/sys/%s = 0; %s = 0%s", b.sysctl(), b.setting(), t.repairs("bridge-netfilter").before(b.bridge+" "+b.setting(), "; cni-guard has set it %s, and something sets it back")),
		Command:  command, Remedy: "Run: " + command + ".",
		Change: fmt.Sprintf("%s of %s: 0 -> 1", b.setting(), b.bridge),
	}
}

const loadBridgeNetfilter = "modprobe br_netfilter && echo br_netfilter >/etc/modules-load.d/br_netfilter.conf"

// repairBridgeNetfilter changes the bridge alone: the sysctl would have the packets of
// every other bridge pass through the rules, too, such as those of virtual machines.
func repairBridgeNetfilter(ctx context.Context, t *Target) error {
	all, err := t.bypasses(ctx)
	if guard.Skips(err) {
		err = nil
	}
	for _, b := range all {
		if b.unloaded {
			continue
		}
		set := t.Node.SetBridgeNetfilter(b.bridge, b.six)
		if set == nil {
			t.repairs("bridge-netfilter").add(b.bridge+" "+b.setting(), t.now())
		}
		err = errors.Join(err, set)
	}
	return err
}

// serviceRules returns how kube-proxy, or what stands for it, serves Services on the
// node, for people; "" where it does not. It costs a few questions to the kernel,
// and with iptables-legacy a look at the table nat.
func (t *Target) serviceRules(six bool) (string, error) {
	// kube-proxy's IPVS mode, and kube-router (pkg/controllers/proxy), whose rules
	// are IPVS's for both families.
	for _, device := range []string{"kube-ipvs0", "kube-dummy-if"} {
		_, err := t.Node.Link(device)
		if err == nil {
			return "IPVS, device " + device, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	family := "ip"
	if six {
		family = "ip6"
	}
	iptables := netstate.Chain{Six: six, Table: "nat", Name: "KUBE-SERVICES"}
	for _, look := range []struct {
		has   func(netstate.Chain) (bool, error)
		chain netstate.Chain
		words string
	}{
		{t.Node.NFTChain, iptables, "iptables, chain KUBE-SERVICES"},
		{t.Node.NFTChain, netstate.Chain{Six: six, Table: "kube-proxy", Name: "services"}, "nftables, table " + family + " kube-proxy"},
		{t.Node.LegacyChain, iptables, "iptables-legacy, chain KUBE-SERVICES"},
	} {
		found, err := look.has(look.chain)
		if err != nil {
			return "", fmt.Errorf("tell whether kube-proxy has rules: %w", err)
		}
		if found {
			return look.words, nil
		}
	}
	return "", nil
}
