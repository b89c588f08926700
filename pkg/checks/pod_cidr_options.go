// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"net/netip"

	"github.com/cni-guard/cni-guard/pkg/guard"
)

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
