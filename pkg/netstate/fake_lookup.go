// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"fmt"
	"io/fs"
	"net/netip"
)

// Lookup implements View. An address that a link has is local, and so is all of
// what lo has; else the longest prefix wins, that of an address as well.
func (f *Fake) Lookup(addr netip.Addr) (Hop, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.failure("Lookup"); err != nil {
		return Hop{}, err
	}
	addr = addr.Unmap()
	best, hop := -1, Hop{}
	for link, prefixes := range f.addrs {
		for _, p := range prefixes {
			if p.Addr() == addr || link == "lo" && p.Contains(addr) {
				return Hop{Local: true}, nil
			}
			if p.Contains(addr) && p.Bits() > best {
				best, hop = p.Bits(), Hop{}
			}
		}
	}
	for _, r := range f.routes {
		matches, bits := r.Dst.Contains(addr), r.Dst.Bits()
		if !r.Dst.IsValid() { // the default route of the family of its gateway
			matches, bits = !r.Gateway.IsValid() || r.Gateway.Is4() == addr.Is4(), 0
		}
		if matches && bits > best {
			best, hop = bits, Hop{Gateway: r.Gateway}
		}
	}
	if best < 0 {
		return Hop{}, fmt.Errorf("look up route to %s: %w", addr, fs.ErrNotExist)
	}
	return hop, nil
}
