// SPDX-License-Identifier: Apache-2.0

package tunnel

import (
	"net/netip"

	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// Enumerate tells from one dump who is at the far ends of the node's tunnels. It
// goes by the kind of a device and by what leads over it, never by who put a
// route there: Calico's routes are bird's or Felix's, depending on its version.
// Routes over other devices are no peers: flannel's DirectRouting and Calico's
// CrossSubnet send to nodes of their own subnet without a tunnel. The work is
// linear in the entries of the dump.
func Enumerate(d netstate.TunnelDump) Table {
	e := newEnumeration(d)
	for _, r := range d.Routes {
		e.route(r)
	}
	t := Table{Peers: make([]Peer, len(e.fars))}
	for i := range e.fars {
		t.Peers[i] = e.peer(&e.fars[i])
	}
	for _, l := range d.Links {
		if reason := e.notEnumerable(e.devices[l.Index]); reason != "" {
			t.NotEnumerable = append(t.NotEnumerable, Unenumerable{Device: l.Name, Reason: reason})
		}
		if needed := needed(e.devices[l.Index]); needed != "" {
			t.Down = append(t.Down, Down{Device: l.Name, Needed: needed})
		}
	}
	t.Duplicates = e.claims.duplicates()
	return t
}

// An enumeration is the dump, indexed, and what came of it so far.
type enumeration struct {
	devices map[int]*device // by index
	own     map[netip.Prefix]bool
	ownAddr map[netip.Addr]bool
	macs    map[onLink]netstate.MAC
	fdb     map[forwarded]netip.Addr

	ends    map[end]int // index of fars
	fars    []far
	behind  map[netip.Prefix]int // index of fars, of routes that name no inner address
	lengths [129]bool            // of those routes
	claims  claims
	steps   int // entries and look-ups, for the test that the work is linear
}

// A device is a tunnel with what was seen to lead over it.
type device struct {
	netstate.TunnelLink
	routes int // all, dead or not
	fdb    int
	mute   int // routes from which no far end can be told
	encap  int // routes that bring the outer addresses along
	peers  int
	in     []int // the devices by which what came through it comes in
}

type onLink struct {
	link int
	addr netip.Addr
}

type forwarded struct {
	link int
	mac  netstate.MAC
}

func newEnumeration(d netstate.TunnelDump) *enumeration {
	e := &enumeration{
		devices: make(map[int]*device, len(d.Links)),
		own:     make(map[netip.Prefix]bool, len(d.Own)),
		ownAddr: map[netip.Addr]bool{},
		macs:    make(map[onLink]netstate.MAC, len(d.Neighbours)),
		fdb:     make(map[forwarded]netip.Addr, len(d.FDB)),
		ends:    make(map[end]int, len(d.Routes)),
		fars:    make([]far, 0, len(d.Routes)),
		behind:  map[netip.Prefix]int{},
		claims:  newClaims(len(d.Routes)),
	}
	for _, l := range d.Links {
		d := &device{TunnelLink: l, in: []int{l.Index}}
		if l.Master != 0 {
			d.in = append(d.in, l.Master)
		}
		e.devices[l.Index] = d
		for _, a := range l.Addrs {
			e.ownAddr[a.Addr()] = true
		}
		e.steps += 1 + len(l.Addrs)
	}
	for _, p := range d.Own {
		e.own[p.Masked()] = true
	}
	for _, n := range d.Neighbours {
		e.macs[onLink{n.Link, n.Addr}] = n.MAC
	}
	e.forward(d.FDB)
	e.steps += len(d.Own) + len(d.Neighbours) + len(d.FDB)
	return e
}

func (e *enumeration) forward(entries []netstate.FDBEntry) {
	for _, f := range entries {
		if d := e.devices[f.Link]; d != nil && usable(f.Dst) {
			e.fdb[forwarded{f.Link, f.MAC}] = f.Dst // only the zero MAC has several
			d.fdb++
		}
	}
}

// usable says whether an address can be that of one other node.
func usable(a netip.Addr) bool {
	return a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() && !a.IsLoopback()
}
