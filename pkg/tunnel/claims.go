// SPDX-License-Identifier: Apache-2.0

package tunnel

import (
	"net/netip"
	"slices"

	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// thisNode stands for the node itself among those who claim something.
const thisNode = "this node"

// rivals bounds how many are named that claim one thing.
const rivals = 8

// claims are who lays claim to what. Only the first claim and those that
// contradict it are kept.
type claims struct {
	blocks   map[claimed]netip.Addr
	macs     map[worn]netip.Addr
	disputes map[string]*Duplicate // by device and what
	order    []*Duplicate
}

// claimed is a block in a routing table. Different tables are asked by different
// rules, so that a block may rightly be in two of them.
type claimed struct {
	block netip.Prefix
	table int
}

// worn is a MAC on a device, as neighbours of one family have it.
type worn struct {
	link int
	mac  netstate.MAC
	four bool
}

func newClaims(routes int) claims {
	return claims{
		blocks:   make(map[claimed]netip.Addr, routes),
		macs:     map[worn]netip.Addr{},
		disputes: map[string]*Duplicate{},
	}
}

// dispute records that someone else claims what another had.
func (c *claims) dispute(device, what string, who ...string) {
	key := device + " " + what
	d := c.disputes[key]
	if d == nil {
		d = &Duplicate{Device: device, What: what}
		c.disputes[key] = d
		c.order = append(c.order, d)
	}
	for _, w := range who {
		if len(d.Who) < rivals && !slices.Contains(d.Who, w) {
			d.Who = append(d.Who, w)
		}
	}
}

func (c *claims) duplicates() []Duplicate {
	var all []Duplicate
	for _, d := range c.order {
		slices.Sort(d.Who)
		all = append(all, *d)
	}
	return all
}

// taken enters the claims of a route, and says whether it leads to what the node
// itself has, so that it leads to no peer.
func (e *enumeration) taken(d *device, r netstate.TunnelRoute, outer, inner netip.Addr) bool {
	who := "somebody whose outer address is not known"
	if outer.IsValid() {
		who = outer.String()
	}
	e.steps += 2
	switch {
	case e.ownAddr[inner]:
		e.claims.dispute(d.Name, "tunnel address "+inner.String(), thisNode, who)
		return true
	case r.Dst.IsSingleIP() && e.ownAddr[r.Dst.Addr()]:
		e.claims.dispute(d.Name, "tunnel address "+r.Dst.Addr().String(), thisNode, who)
		return true
	}
	if outer.IsValid() {
		e.claims.block(d.Name, r, outer)
	}
	if mac, known := e.macs[onLink{d.Index, inner}]; known {
		e.claims.mac(d, mac, inner)
	}
	return false
}

// block enters that a block is behind an outer address. A single address by two
// next hops is a service that both announce, and no dispute.
func (c *claims) block(device string, r netstate.TunnelRoute, outer netip.Addr) {
	if r.Dst.IsSingleIP() && r.Multipath {
		return
	}
	key := claimed{r.Dst, r.Table}
	first, ok := c.blocks[key]
	if !ok {
		c.blocks[key] = outer
	} else if first != outer {
		c.dispute(device, "block "+r.Dst.String(), first.String(), outer.String())
	}
}

// mac enters that a tunnel address has a MAC. The FDB has one outer address for
// each, so that of two nodes with one MAC only one gets packets: machines that
// were cloned have devices of the same MAC, which systemd makes from the machine
// ID. The addresses of two families may rightly be of one node.
func (c *claims) mac(d *device, mac netstate.MAC, inner netip.Addr) {
	key := worn{d.Index, mac, inner.Is4()}
	first, ok := c.macs[key]
	if !ok {
		c.macs[key] = inner
	} else if first != inner {
		c.dispute(d.Name, "MAC "+mac.String(), first.String(), inner.String())
	}
}
