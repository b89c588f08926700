// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// addressOverlap compares the addresses of pods with those of everything else that the
// node talks to (calico#2720, cilium#20204, kubernetes#70957).
type addressOverlap struct{}

// AddressOverlapOptions are the options of the check address-overlap.
type AddressOverlapOptions struct {
	APIServer []netip.Addr // empty: what the configuration of kubelet names
}

// Keys implements guard.Options.
func (o *AddressOverlapOptions) Keys() []guard.Option {
	return []guard.Option{{
		Key: "apiServer", Value: guard.List(&o.APIServer, nil, "192.168.7.10", netip.ParseAddr),
		Meaning: "The addresses of the API server. If empty: the address in kubelet's kubeconfig, if that can be read and has an IP address instead of a host name.",
	}}
}

func (addressOverlap) declare() guard.Declaration {
	return guard.Declaration{Name: "address-overlap", Options: &AddressOverlapOptions{}}
}

func (addressOverlap) check() *Check {
	return &Check{
		ID:        "CG306",
		Summary:   "The pod range contains addresses of the node's network: pods cannot reach the node, the gateway, the DNS server or the API server, or the node cannot reach its neighbors, depending on which addresses pods get.",
		Detection: "An address or a connected prefix of an interface that is not the pod network's, the gateway of the default route, a name server of /etc/resolv.conf (or, behind systemd-resolved, of /run/systemd/resolve/resolv.conf), or the API server of kubelet's kubeconfig lies in a range of pods. A route of the pod network leads into a connected prefix, or into a block of this node. Two routes lead to overlapping blocks of different nodes. Single addresses of other blocks are ignored, because Calico borrows them.",
		Remedy:    "Give the pods another range, one that overlaps no network that the nodes talk to. With most network plugins this requires a new cluster or new nodes; compare the ranges first.",
		When:      guard.Node,
		Default:   guard.Warn,
		Probe:     probeAddressOverlap,
	}
}

func probeAddressOverlap(ctx context.Context, t *Target) ([]guard.Finding, error) {
	n, err := readNodeNetwork(t)
	if err != nil {
		return nil, err
	}
	if plugin := vpcNative(t.networkPlugins()); plugin != "" {
		return nil, guard.Skip("the plugin " + plugin + " assigns pods addresses of the node's network by design")
	}
	declared, trouble := t.podRanges()
	o := overlap{node: n, declared: declared, blocks: n.podBlocks(declared.prefixes)}
	if len(declared.prefixes) == 0 && len(o.blocks) == 0 {
		if trouble != nil {
			return nil, trouble
		}
		return nil, guard.Skip("no range of pods is known: no file with cni-guard names one, and no route leads to one; podCIDRs of the check pod-cidr can name it")
	}
	o.judgeLinks()
	o.judgeGateways()
	o.judgeClaims()
	o.judgeBlocks()
	guard.Hold(ctx, o.findings...)
	targets, err := farTargets(t)
	for _, target := range targets {
		o.judgeTarget(target)
	}
	if trouble != nil && guard.Skips(err) {
		err = nil // what could not be read is the result
	}
	return fewFindings(o.findings, "overlaps"), errors.Join(trouble, err)
}

// An overlap is what was compared, and found, so far.
type overlap struct {
	node     *nodeNetwork
	declared podRanges
	blocks   []podBlock

	reported []netip.Prefix // prefixes of the node's links that are part of a finding
	findings []guard.Finding
}

func (o *overlap) add(object, problem, impact, remedy string) {
	o.findings = append(o.findings, guard.Finding{Object: object, Problem: problem, Impact: impact, Remedy: remedy})
}

// rangeOf returns the range of pods that contains the address, also in words; "" for none.
func (o *overlap) rangeOf(addr netip.Addr) (netip.Prefix, string) {
	for _, r := range o.declared.prefixes {
		if r.Contains(addr) {
			return r, fmt.Sprintf("%s, the range of the pods (%s)", r, o.declared.from)
		}
	}
	for _, b := range o.blocks {
		if b.Contains(addr) {
			return b.Prefix, fmt.Sprintf("%s, a block of pods (route %s)", b.Prefix, b)
		}
	}
	return netip.Prefix{}, ""
}

// judgeLinks compares the node's own addresses, but those of the pod network's links. A
// connected prefix that is wider than the range is none of the findings as long as the
// node's address lies outside: the route to the pods is more specific.
func (o *overlap) judgeLinks() {
	for _, a := range o.node.addrs {
		addr, prefix := a.Addr.Addr().Unmap(), a.Addr.Masked()
		if a.Link == "lo" || addr.IsLoopback() || addr.IsLinkLocalUnicast() || o.node.isPodLink(a.Link) {
			continue
		}
		r, words := o.rangeOf(addr)
		if words == "" {
			continue
		}
		o.reported = append(o.reported, prefix)
		problem, impact := fmt.Sprintf("has %s, which lies in %s", a.Addr, words), "pods cannot reach the node at it once a pod or another node has it"
		if covers(r, prefix) && !prefix.IsSingleIP() {
			problem = fmt.Sprintf("has %s, whose network lies in %s", a.Addr, words)
			impact = fmt.Sprintf("pods with such an address are not reached, as the node looks for them on %s, and pods do not reach that network", a.Link)
		}
		o.add("node/"+a.Link, problem, impact, "")
	}
}

func (o *overlap) isReported(addr netip.Addr) bool {
	return slices.ContainsFunc(o.reported, func(p netip.Prefix) bool { return p.Contains(addr) })
}

func (o *overlap) judgeGateways() {
	for _, r := range o.node.routes {
		if !isDefault(r.Dst) || !r.Gateway.IsValid() || r.Gateway.IsLinkLocalUnicast() || o.isReported(r.Gateway) {
			continue
		}
		if _, words := o.rangeOf(r.Gateway); words != "" {
			o.add("node/"+r.Link, fmt.Sprintf("has the gateway %s, which lies in %s", r.Gateway, words), "a pod that gets this address cuts the node off", "")
		}
	}
}

// judgeTarget compares an address that the node sends to.
func (o *overlap) judgeTarget(t farTarget) {
	if o.isReported(t.addr) || o.isOwn(t.addr) {
		return
	}
	if _, words := o.rangeOf(t.addr); words != "" {
		o.add(t.object, fmt.Sprintf("%s (%s) lies in %s", t.addr, t.from, words), t.consequence, "")
	}
}

// isOwn reports whether the node has the address, as it may have a DNS server on the
// bridge of its pods.
func (o *overlap) isOwn(addr netip.Addr) bool {
	return slices.ContainsFunc(o.node.addrs, func(a netstate.LinkAddr) bool { return a.Addr.Addr() == addr })
}

// judgeClaims looks for blocks of other nodes that this node has already: within a
// prefix that a link of the node connects, or within a block of its own.
func (o *overlap) judgeClaims() {
	for _, b := range o.blocks {
		if !b.gateway.IsValid() {
			continue
		}
		for _, a := range o.node.addrs {
			prefix := a.Addr.Masked()
			if prefix.IsSingleIP() || !covers(prefix, b.Prefix) || a.Addr.Addr().IsLoopback() {
				continue
			}
			if !o.node.isPodLink(a.Link) {
				if slices.Contains(o.reported, prefix) {
					break // one cause, one finding
				}
				o.reported = append(o.reported, prefix)
				o.add("node/"+a.Link, fmt.Sprintf("is connected to %s, and the pod network has the route %s into it", prefix, b), fmt.Sprintf("the node does not reach its neighbors of %s", b.Prefix), "")
				// A network that contains all pods may have no neighbor among their addresses.
				o.findings[len(o.findings)-1].Minor = slices.ContainsFunc(o.declared.prefixes, func(r netip.Prefix) bool { return covers(prefix, r) })
				break
			}
			if a.Link != b.link && o.node.isPodBridge(a.Link) {
				o.add("node/"+a.Link, fmt.Sprintf("has the pods of %s, and %s claims %s of it (route %s)", prefix, b.gateway, b.Prefix, b), claimImpact, claimRemedy)
				break
			}
		}
		for _, own := range o.blocks {
			if own.link == "" && covers(own.Prefix, b.Prefix) {
				o.add("node", fmt.Sprintf("holds the block %s, and %s claims %s of it (route %s)", own.Prefix, b.gateway, b.Prefix, b), claimImpact, claimRemedy)
			}
		}
	}
}

const claimImpact = "pods with these addresses are reached on one of the two nodes only"

const claimRemedy = "Compare the podCIDR of all nodes with: kubectl get nodes -o custom-columns=NAME:.metadata.name,PODCIDRS:.spec.podCIDRs. For Calico: calicoctl ipam check. Then remove the node that has the range of another, and let it join again."

// judgeBlocks looks for blocks of two other nodes that overlap, as after a change of the
// mask (kubernetes#70957). A much wider route is the aggregate that a router announces.
func (o *overlap) judgeBlocks() {
	const most = 2 // bits
	for i, wide := range o.blocks {
		for j, narrow := range o.blocks {
			bits := narrow.Bits() - wide.Bits()
			if i == j || bits < 1 || bits > most || !wide.gateway.IsValid() || !narrow.gateway.IsValid() || wide.gateway == narrow.gateway || !covers(wide.Prefix, narrow.Prefix) {
				continue
			}
			if slices.Contains(o.declared.prefixes, wide.Prefix) {
				continue
			}
			o.add("node", fmt.Sprintf("has routes to blocks that overlap: %s, and %s", wide, narrow), "pods of the first with an address of the second are not reached", claimRemedy)
		}
	}
}
