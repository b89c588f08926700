// SPDX-License-Identifier: Apache-2.0

package tunnel

import (
	"net/netip"
	"slices"

	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// thisNode names the node itself as a claimant.
const thisNode = "this node"

// maxClaimants bounds how many claimants of one thing are named.
const maxClaimants = 8

// claims records who claims which block and which MAC. It keeps the first claim of each,
// and those that contradict it.
type claims struct {
	blocks   map[tableBlock]netip.Addr
	macs     map[familyMAC]netip.Addr
	disputes map[string]*Duplicate // by device and what
	order    []*Duplicate
}

// A tableBlock is a block in a routing table. Rules select between tables, so a block may
// rightly be in two of them.
type tableBlock struct {
	block netip.Prefix
	table int
}

// A familyMAC is a MAC that neighbors of one family have on a device. A node may rightly
// have one MAC for the addresses of both families.
type familyMAC struct {
	link int
	mac  netstate.MAC
	four bool
}

func newClaims(routes int) claims {
	return claims{
		blocks:   make(map[tableBlock]netip.Addr, routes),
		macs:     map[familyMAC]netip.Addr{},
		disputes: map[string]*Duplicate{},
	}
}

// addClaims records the claims of a route. It reports whether the route leads to an
// address of this node, and so to no peer.
func (e *enumeration) addClaims(d *device, r netstate.TunnelRoute, outer, inner netip.Addr) (leadsHere bool) {
	who := "a node whose outer address is unknown"
	if outer.IsValid() {
		who = outer.String()
	}
	e.steps += 2
	switch {
	case e.ownAddrs[inner]:
		e.claims.dispute(d.Name, "tunnel address "+inner.String(), thisNode, who)
		return true
	case r.Dst.IsSingleIP() && e.ownAddrs[r.Dst.Addr()]:
		e.claims.dispute(d.Name, "tunnel address "+r.Dst.Addr().String(), thisNode, who)
		return true
	}
	if outer.IsValid() {
		e.claims.addBlock(d.Name, r, outer)
	}
	if mac, ok := e.macs[linkAddr{d.Index, inner}]; ok {
		e.claims.addMAC(d, mac, inner, outer)
	}
	if outer.IsValid() && outer == d.Local {
		e.claims.dispute(d.Name, "outer address "+outer.String(), thisNode, "the route to "+r.Dst.String())
		return true
	}
	return false
}

// addBlock records that a block is behind an outer address. A single address with two
// next hops is a service that both announce, not a dispute.
func (c *claims) addBlock(device string, r netstate.TunnelRoute, outer netip.Addr) {
	if r.Dst.IsSingleIP() && r.Multipath {
		return
	}
	key := tableBlock{r.Dst, r.Table}
	first, ok := c.blocks[key]
	if !ok {
		c.blocks[key] = outer
	} else if first != outer {
		c.dispute(device, "block "+r.Dst.String(), first.String(), outer.String())
	}
}

// addMAC records that a tunnel address has a MAC. The FDB has one outer address for each
// MAC, so of two nodes with the same MAC only one receives packets. Cloned machines have
// the same MAC, because systemd derives it from the machine ID.
func (c *claims) addMAC(d *device, mac netstate.MAC, inner, outer netip.Addr) {
	who := []string{thisNode, inner.String()} // it drops what comes with its own MAC (vxlan_set_mac)
	if mac != d.MAC {
		key := familyMAC{d.Index, mac, inner.Is4()}
		first, ok := c.macs[key]
		if !ok {
			c.macs[key] = inner
			return
		}
		if first == inner {
			return
		}
		who[0] = first.String()
	}
	dup := c.dispute(d.Name, "MAC "+mac.String(), who...)
	dup.MAC, dup.Outer = true, outer
}

// dispute records who claims the same thing, and returns the record.
func (c *claims) dispute(device, what string, who ...string) *Duplicate {
	key := device + " " + what
	d := c.disputes[key]
	if d == nil {
		d = &Duplicate{Device: device, What: what}
		c.disputes[key] = d
		c.order = append(c.order, d)
	}
	for _, w := range who {
		if len(d.Who) < maxClaimants && !slices.Contains(d.Who, w) {
			d.Who = append(d.Who, w)
		}
	}
	return d
}

func (c *claims) duplicates() []Duplicate {
	var all []Duplicate
	for _, d := range c.order {
		slices.Sort(d.Who)
		all = append(all, *d)
	}
	return all
}
