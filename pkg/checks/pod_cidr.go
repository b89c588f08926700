// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// PodCIDR reports a pod whose address belongs to another network, or to the node. It warns
// by default: networks that share the cloud's addresses (aws-cni, azure-vnet, macvlan,
// sr-iov) overlap with the node's network by design, so that only addresses are compared
// there, and ranges may be configured where the guard does not look.
var PodCIDR = &Check{
	ID:        "CG307",
	Name:      "pod-cidr",
	Summary:   "A pod starts with an address that the cluster does not route to it, from another network or a stale range, or with one that the node or its gateway has.",
	Detection: "An address of the result is in none of the pod ranges of its family. Or `ip route get ADDRESS` on the node reports it as local, or it is the gateway of the default route.",
	Remedy:    "Compare the address with the ranges of the network plugin. Run `guardctl conf` to find the file that it came from. Remove stale ranges (`/var/lib/cni/networks`) of a network that is gone.",
	When:      guard.Add | guard.Verify,
	Default:   guard.Warn,
	Options:   &PodCIDROptions{},
	Needs:     []*Check{StaleNetns, HostNetns, ForeignNetns},
	Probe:     probePodCIDR,
}

// PodCIDROptions are the options of the check pod-cidr.
type PodCIDROptions struct {
	PodCIDRs []netip.Prefix // empty: what the conflist or flannel says
}

// Keys implements guard.Options.
func (o *PodCIDROptions) Keys() []guard.Option {
	return []guard.Option{{
		Key: "podCIDRs", Value: prefixList(&o.PodCIDRs),
		Meaning: "The ranges that the addresses of this network's pods must lie in. If empty: the ranges of `host-local` in the file with the guard, or what flannel wrote to `/run/flannel/subnet.env`; without either, addresses are compared with those of the node only.",
	}}
}

func probePodCIDR(_ context.Context, t *Target) ([]guard.Finding, error) {
	if len(t.Want.Addrs) == 0 || t.Override {
		return nil, nil // no addresses, or the pod uses the node's namespace
	}
	findings, nodeErr := nodeAddrFindings(t)
	ranges, rangeErr := t.podRanges()
	for _, want := range t.Want.Addrs {
		family := ranges.family(want.Addr())
		if len(family.prefixes) > 0 && !family.contains(want.Addr()) {
			problem := fmt.Sprintf("has %s, outside %s", want.Addr(), family)
			findings = append(findings, guard.Finding{Object: "pod/" + t.IfName, Problem: problem, Evidence: fmt.Sprintf("%s: %s", ranges.from, family)})
		}
	}
	if len(findings) > 0 {
		return findings, nil // certain, whatever else could not be read
	}
	return nil, errors.Join(nodeErr, rangeErr)
}

// nodeAddrFindings compares the addresses with those of the node, by one route lookup each,
// and with the gateway of each family.
func nodeAddrFindings(t *Target) ([]guard.Finding, error) {
	var findings []guard.Finding
	var errs error
	gateways := map[bool]netip.Addr{} // by whether it is IPv4
	for _, want := range t.Want.Addrs {
		addr := want.Addr().Unmap()
		gateway, known := gateways[addr.Is4()]
		if !known {
			hop, err := lookup(t.Node, documentationAddr(addr))
			gateway, errs = hop.Gateway, errors.Join(errs, err)
			gateways[addr.Is4()] = gateway
		}
		hop, err := lookup(t.Node, addr)
		errs = errors.Join(errs, err)
		switch {
		case hop.Local:
			findings = append(findings, guard.Finding{Object: "pod/" + t.IfName, Problem: fmt.Sprintf("has %s, which is an address of the node", addr)})
		case addr == gateway:
			findings = append(findings, guard.Finding{Object: "pod/" + t.IfName, Problem: fmt.Sprintf("has %s, which is the gateway of the node", addr)})
		}
	}
	return findings, errs
}

// lookup looks up a route. That there is none is not an error.
func lookup(v netstate.View, addr netip.Addr) (netstate.Hop, error) {
	hop, err := v.Lookup(addr)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return hop, err
}

// documentationAddr returns an address of the same family that is not in use (RFC 5737,
// RFC 3849), so that the default route leads to it.
func documentationAddr(addr netip.Addr) netip.Addr {
	if addr.Is4() {
		return netip.AddrFrom4([4]byte{192, 0, 2, 1})
	}
	return netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 15: 1})
}

// podRanges are the ranges of a network's pods. No prefixes means unknown.
type podRanges struct {
	prefixes []netip.Prefix
	from     string // the source
}

// family returns the ranges of an address's family.
func (r podRanges) family(addr netip.Addr) podRanges {
	var same []netip.Prefix
	for _, p := range r.prefixes {
		if p.Addr().Is4() == addr.Unmap().Is4() {
			same = append(same, p)
		}
	}
	return podRanges{same, r.from}
}

// contains reports whether a prefix contains the address, which may be an IPv4 address
// written as IPv6.
func (r podRanges) contains(addr netip.Addr) bool {
	return slices.ContainsFunc(r.prefixes, func(p netip.Prefix) bool { return p.Contains(addr.Unmap()) })
}

// String returns the ranges, separated by commas.
func (r podRanges) String() string {
	texts := make([]string, len(r.prefixes))
	for i, p := range r.prefixes {
		texts[i] = p.String()
	}
	return strings.Join(texts, ", ")
}

// podRanges returns the ranges of the configuration, or else of the file with the guard.
func (t *Target) podRanges() (podRanges, error) {
	if given := options[*PodCIDROptions](t).PodCIDRs; len(given) > 0 {
		return podRanges{given, "podCIDRs of the check pod-cidr"}, nil
	}
	if t.Conf.Network == "" && t.Conf.Dir == "" {
		return podRanges{}, nil
	}
	r, _ := t.runtime() // an unknown runtime does not matter: the address came from the file with the guard
	d, err := t.confDir(r, nil)
	if errors.Is(err, errNoOwnFile) || errors.Is(err, fs.ErrNotExist) {
		return podRanges{}, nil // it is where the guard does not look
	}
	if err != nil {
		return podRanges{}, err
	}
	return d.podRanges(t.host())
}
