// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"fmt"
	"net/netip"

	"github.com/cni-guard/cni-guard/pkg/guard"
)

// options returns the options of type O, a pointer to a struct: those that the
// configuration sets, or else the defaults.
func options[O guard.Options](t *Target) O { return guard.OptionsOf[O](t.Options) }

// prefixList is an option that lists network prefixes.
func prefixList(field *[]netip.Prefix) guard.Value {
	return guard.List(field, nil, "10.244.0.0/16", parsePrefix)
}

// parsePrefix reads a network prefix. An address with bits beyond the prefix length is
// an error: a typo in an address must not become another network.
func parsePrefix(text string) (netip.Prefix, error) {
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return prefix, fmt.Errorf("%q is not a prefix such as 10.244.0.0/16: %w", text, err)
	}
	if prefix != prefix.Masked() {
		return prefix, fmt.Errorf("%q has bits beyond its prefix length; the network is %s", text, prefix.Masked())
	}
	return prefix, nil
}
