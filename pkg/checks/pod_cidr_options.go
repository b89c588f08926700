// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"encoding/json"
	"fmt"
	"net/netip"

	"github.com/cni-guard/cni-guard/pkg/guard"
)

// podCIDRName is the name of the check, and of its place in the configuration.
const podCIDRName = "pod-cidr"

// PodCIDROptions say where the addresses of pods lie.
type PodCIDROptions struct {
	PodCIDRs Prefixes // empty: what the conflist or flannel says
}

func (o *PodCIDROptions) keys() map[string]any {
	return map[string]any{"podCIDRs": &o.PodCIDRs}
}

// podCIDROptions documents the keys.
func podCIDROptions() []guard.Option {
	return []guard.Option{{
		Key: "podCIDRs", Default: `[]`,
		Means: "Where the addresses of this network's pods must lie. Without it: the ranges of `host-local` in the file with the guard, or what flannel wrote to `/run/flannel/subnet.env`; where there is neither, only the addresses of the node are compared.",
	}}
}

// Prefixes are network prefixes such as 10.244.0.0/16.
type Prefixes []netip.Prefix

// UnmarshalJSON refuses what is no prefix, or has bits beyond its length: a typo
// in an address must not become another network.
func (p *Prefixes) UnmarshalJSON(b []byte) error {
	var texts []string
	if err := json.Unmarshal(b, &texts); err != nil {
		return fmt.Errorf(`want a list of prefixes such as ["10.244.0.0/16"]: %w`, err)
	}
	all := make(Prefixes, len(texts))
	for i, text := range texts {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return fmt.Errorf("%q is no prefix such as 10.244.0.0/16: %w", text, err)
		}
		if prefix != prefix.Masked() {
			return fmt.Errorf("%q has bits beyond its length; %s is the network", text, prefix.Masked())
		}
		all[i] = prefix
	}
	*p = all
	return nil
}

// contains reports whether an address lies in one of the prefixes.
func (p Prefixes) contains(addr netip.Addr) bool {
	for _, prefix := range p {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}
