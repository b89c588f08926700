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

// PodCIDR sees a pod whose address belongs to another network, or to the node. It
// warns by default: networks that are part of the cloud's (aws-cni, azure-vnet,
// macvlan, sr-iov) overlap with the node's by design, so that only addresses are
// compared there, and ranges may come from where the guard does not look.
var PodCIDR = &Check{
	Name:      "pod-cidr",
	Summary:   "A pod starts with an address that the cluster does not route to it, because another configuration or a leftover range gave it, or with one that the node or its gateway has.",
	Detection: "An address of the result lies in none of the pod ranges of its family, or `ip route get ADDRESS` on the node answers that it is local, or names it as the gateway of the default route.",
	Remedy:    "Compare the address with the ranges of the network plugin; find which file of the conf dir gave it with guardctl conf, and remove stale ranges (/var/lib/cni/networks) of a network that is gone.",
	When:      guard.Add | guard.Verify,
	Default:   guard.Warn,
	Options:   &PodCIDROptions{},
	Needs:     []*Check{StaleNetns, HostNetns, ForeignNetns},
	Probe:     probePodCIDR,
}

func probePodCIDR(_ context.Context, t *Target) ([]guard.Finding, error) {
	if len(t.Want.Addrs) == 0 || t.Override {
		return nil, nil // no addresses, or the pod's namespace is meant to be the node's
	}
	findings, nodeErr := ofNode(t)
	ranges, rangeErr := t.podRanges()
	for _, want := range t.Want.Addrs {
		family := ranges.family(want.Addr())
		if len(family.prefixes) > 0 && !family.contains(want.Addr()) {
			problem := fmt.Sprintf("has %s, outside %s (%s)", want.Addr(), family, ranges.from)
			findings = append(findings, guard.Finding{Object: "pod/" + t.IfName, Problem: problem})
		}
	}
	if len(findings) > 0 {
		return findings, nil // that much is certain
	}
	return nil, errors.Join(nodeErr, rangeErr)
}

// ofNode compares the addresses with those of the node, one question each, and
// one for each family's gateway.
func ofNode(t *Target) ([]guard.Finding, error) {
	var findings []guard.Finding
	var trouble error
	gateways := map[bool]netip.Addr{} // by whether it is IPv4
	for _, want := range t.Want.Addrs {
		addr := want.Addr().Unmap()
		gateway, known := gateways[addr.Is4()]
		if !known {
			hop, err := lookup(t.Node, elsewhere(addr))
			gateway, trouble = hop.Gateway, errors.Join(trouble, err)
			gateways[addr.Is4()] = gateway
		}
		hop, err := lookup(t.Node, addr)
		trouble = errors.Join(trouble, err)
		switch {
		case hop.Local:
			findings = append(findings, guard.Finding{Object: "pod/" + t.IfName, Problem: fmt.Sprintf("has %s, which is an address of the node", addr)})
		case addr == gateway:
			findings = append(findings, guard.Finding{Object: "pod/" + t.IfName, Problem: fmt.Sprintf("has %s, which is the gateway of the node", addr)})
		}
	}
	return findings, trouble
}

// lookup takes "no route" for an answer.
func lookup(v netstate.View, addr netip.Addr) (netstate.Hop, error) {
	hop, err := v.Lookup(addr)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return hop, err
}

// elsewhere is an address of the same family that nobody has (RFC 5737, RFC 3849),
// so that the default route leads to it.
func elsewhere(addr netip.Addr) netip.Addr {
	if addr.Is4() {
		return netip.AddrFrom4([4]byte{192, 0, 2, 1})
	}
	return netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 15: 1})
}

// podRanges are where the addresses of a network's pods lie. None means that
// nobody says.
type podRanges struct {
	prefixes []netip.Prefix
	from     string // who says so
}

// family gives the ranges of an address's family.
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

// String gives the ranges for people.
func (r podRanges) String() string {
	texts := make([]string, len(r.prefixes))
	for i, p := range r.prefixes {
		texts[i] = p.String()
	}
	return strings.Join(texts, ", ")
}

// podRanges gives what the configuration says, or else the file with the guard.
func (t *Target) podRanges() (podRanges, error) {
	if given := options[*PodCIDROptions](t).PodCIDRs; len(given) > 0 {
		return podRanges{given, "podCIDRs of the check pod-cidr"}, nil
	}
	if t.Conf.Network == "" && t.Conf.Dir == "" {
		return podRanges{}, nil
	}
	r, _ := t.runtime() // whoever called, the file with the guard is the one that gave the address
	f, err := t.folder(r, nil)
	if errors.Is(err, errNoOwnFile) || errors.Is(err, fs.ErrNotExist) {
		return podRanges{}, nil // it lies where the guard does not look
	}
	if err != nil {
		return podRanges{}, err
	}
	return f.podRanges(t.Root)
}
