// SPDX-License-Identifier: Apache-2.0

// Package tunnel finds the nodes at the other ends of this node's tunnels, and keeps
// the tunnels to them warm. The peers come from the kernel's own tables: the package
// asks no API server and reads no network plugin's store.
//
// Enumerate lists the peers and Probe pings them. A PeerStore holds the results for all
// processes of the node. A Keeper decides who is pinged, and when.
package tunnel

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// A Peer is another node at the far end of a tunnel. A node with several blocks behind
// one device is one peer, because one packet warms it.
type Peer struct {
	Device string // "tunl0"
	Kind   string // IFLA_INFO_KIND of the device: ipip, vxlan, …
	// Port is the UDP port that outer packets are sent to. Zero means that they are not UDP,
	// but IP protocol 4 for ipip, 41 for sit and ip6tnl, 47 for gre; or, with WireGuard,
	// that it is not known.
	Port uint16

	Block netip.Prefix   // pod addresses behind the peer; the zero Prefix if none is known
	More  []netip.Prefix // its other blocks

	Outer  netip.Addr // the node's own address; the zero Addr if the kernel has none
	Probed netip.Addr // the address to ping through the tunnel; the zero Addr if none is known
	// Guessed reports that Probed follows from how network plugins number their tunnels,
	// not from a table of the kernel. Silence proves even less then.
	Guessed bool
	Also    []netip.Addr // alternatives to Probed, the likeliest first
	// Links are the indexes of the devices on which an answer arrives: the tunnel, and the
	// bridge that it is a port of. nil means any device: the address is not a tunnel's, or
	// the tunnel has no address, so that the node pings from another one.
	Links []int
}

// A Table is what the kernel's tables show of the tunnels of a node.
type Table struct {
	Peers         []Peer         // in the order of their first routes
	NotEnumerable []Unenumerable // tunnels whose peers, or some of them, are not in the kernel's tables
	Down          []Down
	Duplicates    []Duplicate
	Incomplete    []Incomplete
	Unrouted      []Unrouted
	Unallowed     []Unallowed
}

// An Unenumerable is a device with peers that the kernel's tables do not show.
type Unenumerable struct{ Device, Reason string }

// A Down is a device that is set down although the network needs it.
type Down struct {
	Device string
	Needed string // why the network needs it, as a clause: "it still has 3 routes"
}

// A Duplicate is an address, a block or a MAC that two ends claim.
type Duplicate struct {
	Device string
	What   string   // "tunnel address 10.244.1.0", "block 10.244.1.0/26" or "MAC 0a:58:0a:f4:02:00"
	Who    []string // outer addresses, tunnel addresses for a MAC, or "this node"; two or more, sorted
	// MAC: two tunnel addresses have one MAC, and so one outer address in the FDB: Outer,
	// or the zero Addr if it has none.
	MAC   bool
	Outer netip.Addr
}

// Own reports whether this node is one of those who claim it.
func (d Duplicate) Own() bool { return slices.Contains(d.Who, thisNode) }

// An Incomplete is a route over a vxlan to a gateway for which the kernel lacks an entry
// that it cannot find out itself: nothing leaves for it.
type Incomplete struct {
	Device  string
	Block   netip.Prefix
	Gateway netip.Addr
	MAC     netstate.MAC // the zero MAC: there is no neighbor entry; else no FDB entry for it
}

// An Unallowed is a route over a WireGuard device to a block that none of its peers may
// have: the kernel drops what goes there, as it has no key for it (ENOKEY).
type Unallowed struct {
	Device string
	Block  netip.Prefix
}

// An Unrouted is an outer address in the FDB of a vxlan to which none of its routes leads,
// though it has others.
type Unrouted struct {
	Device string
	Link   int // index of the device
	Outer  netip.Addr
	Inner  netip.Addr // the tunnel address that has the MAC of the entry; the zero Addr if none has
}

// Enumerate returns the peers of a dump. It goes by the kind of a device and by the
// routes over it, not by who made a route: Calico's routes are bird's or Felix's,
// depending on its version. Nodes that are reached without a tunnel are no peers:
// flannel's DirectRouting and Calico's CrossSubnet route to their own subnet directly.
// The work is linear in the entries of the dump.
func Enumerate(d netstate.TunnelDump) Table {
	e := newEnumeration(d)
	for _, r := range d.Routes {
		e.addRoute(r)
	}
	e.addWireGuard(d.WireGuard)
	t := Table{Peers: make([]Peer, len(e.endpoints))}
	for i := range e.endpoints {
		t.Peers[i] = e.peer(&e.endpoints[i])
	}
	for _, l := range d.Links {
		if reason := e.notEnumerable(e.devices[l.Index]); reason != "" {
			t.NotEnumerable = append(t.NotEnumerable, Unenumerable{Device: l.Name, Reason: reason})
		}
		if needed := whyNeeded(e.devices[l.Index]); needed != "" {
			t.Down = append(t.Down, Down{Device: l.Name, Needed: needed})
		}
	}
	t.Duplicates = e.claims.duplicates()
	t.Incomplete = e.incomplete
	t.Unrouted = e.unrouted(d)
	t.Unallowed = e.unallowed
	return t
}

// An enumeration is an indexed dump, and what was derived from it so far.
type enumeration struct {
	devices  map[int]*device // by index
	own      map[netip.Prefix]bool
	ownAddrs map[netip.Addr]bool
	macs     map[linkAddr]netstate.MAC
	fdb      map[linkMAC]netip.Addr

	endpoints     []endpoint
	byKey         map[endpointKey]int  // index of endpoints
	byBlock       map[netip.Prefix]int // index of endpoints, for routes without an inner address; or disputed
	prefixLengths [129]bool            // of the keys of byBlock
	claims        claims
	incomplete    []Incomplete
	unallowed     []Unallowed
	steps         int // entries and lookups, for the test that the work is linear
}

// disputed is the value of byBlock for a block that several endpoints claim.
const disputed = -1

// A device is a tunnel device, and what the dump has of it.
type device struct {
	netstate.TunnelLink
	routes     int                         // over it, dead ones included
	fdb        int                         // entries
	unresolved int                         // routes that do not name the far end
	encap      int                         // routes that have the outer addresses themselves
	peers      int                         // endpoints behind it
	floods     bool                        // frames whose MAC has no entry have a destination
	keeps      bool                        // WireGuard has told its peers
	routed     []netip.Prefix              // of such a device
	gateways   map[netip.Prefix]netip.Addr // of routed; the zero Addr for none
	arrivals   []int                       // indexes of the devices on which its packets arrive
}

type linkAddr struct {
	link int
	addr netip.Addr
}

type linkMAC struct {
	link int
	mac  netstate.MAC
}

func newEnumeration(d netstate.TunnelDump) *enumeration {
	e := &enumeration{
		devices:   make(map[int]*device, len(d.Links)),
		own:       make(map[netip.Prefix]bool, len(d.Own)),
		ownAddrs:  map[netip.Addr]bool{},
		macs:      make(map[linkAddr]netstate.MAC, len(d.Neighbours)),
		fdb:       make(map[linkMAC]netip.Addr, len(d.FDB)),
		endpoints: make([]endpoint, 0, len(d.Routes)),
		byKey:     make(map[endpointKey]int, len(d.Routes)),
		byBlock:   map[netip.Prefix]int{},
		claims:    newClaims(len(d.Routes)),
	}
	for _, l := range d.Links {
		d := &device{TunnelLink: l, arrivals: []int{l.Index}}
		if l.Master != 0 {
			d.arrivals = append(d.arrivals, l.Master)
		}
		e.devices[l.Index] = d
		for _, a := range l.Addrs {
			e.ownAddrs[a.Addr()] = true
		}
		e.steps += 1 + len(l.Addrs)
	}
	for _, w := range d.WireGuard {
		if d := e.devices[w.Link]; d != nil && w.Unread == "" {
			d.keeps, d.gateways = true, map[netip.Prefix]netip.Addr{}
		}
	}
	for _, p := range d.Own {
		e.own[p.Masked()] = true
	}
	for _, n := range d.Neighbours {
		e.macs[linkAddr{n.Link, n.Addr}] = n.MAC
	}
	for _, f := range d.FDB {
		if d := e.devices[f.Link]; d != nil && isNodeAddr(f.Dst) {
			e.fdb[linkMAC{f.Link, f.MAC}] = f.Dst // only the zero MAC has several
			d.fdb++
			d.floods = d.floods || f.MAC == (netstate.MAC{})
		}
	}
	e.steps += len(d.Own) + len(d.Neighbours) + len(d.FDB)
	return e
}

// isNodeAddr reports whether an address can be that of one other node.
func isNodeAddr(a netip.Addr) bool {
	return a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() && !a.IsLoopback()
}

func single(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// maxAlternatives bounds how many addresses a peer has besides the first.
const maxAlternatives = 3

// peer returns an endpoint as a Peer with the address to ping. The gateway of a tunnel
// that carries Ethernet is the address of the far device. Other routes name no inner
// address; there it is guessed from how network plugins number their tunnels:
//
//   - flannel: the first address of the block (EnsureV4AddressOnLink of the lease)
//   - Calico with its own IPAM: an address that IPAM assigned when the node started,
//     mostly the first of its first block
//   - Calico with host-local: the second of the pod CIDR (getStaticTunnelAddress)
//   - kube-router: the second, which kube-bridge has
//
// All nodes of a cluster do the same, so the node's own address shows which it is.
func (e *enumeration) peer(end *endpoint) Peer {
	p := Peer{Device: end.device.Name, Kind: end.device.Kind, Port: end.device.Port, Outer: end.outer, Block: end.block}
	if end.device.Kind == "wireguard" {
		p.Port = end.port
	}
	p.More = unique(end.more)
	for i, b := range p.More {
		e.steps++
		if b.Bits() < p.Block.Bits() { // the widest comes first
			p.Block, p.More[i] = b, p.Block
		}
	}
	if end.gateway.IsValid() {
		p.Probed, p.Also = end.gateway, end.gateways
		p.Links = end.device.linksTo(p.Probed)
		return p
	}
	candidates := slices.DeleteFunc(e.guesses(end.device, p), func(a netip.Addr) bool { return e.isElsewhere(a, end) })
	if len(candidates) > 0 {
		p.Probed, p.Also = candidates[0], candidates[1:]
		p.Links = end.device.linksTo(p.Probed)
	}
	p.Guessed = !(end.device.Kind == "ipip" && end.device.Local.IsValid() && !end.device.Remote.IsValid() || strings.HasPrefix(end.device.Name, "flannel-wg")) // both of flannel
	return p
}

// linksTo returns the devices on which an answer of the peer arrives; nil for any. If the
// device has no address of the family, as kube-router's, the node pings from another
// device's address, and the answer need not come through the tunnel.
func (d *device) linksTo(probed netip.Addr) []int {
	for _, a := range d.Addrs {
		if a.Addr().BitLen() == probed.BitLen() {
			return d.arrivals
		}
	}
	return nil
}

// isElsewhere reports whether the routes lead to an address at another endpoint or at
// this node: Calico lends single addresses of a block to other nodes.
func (e *enumeration) isElsewhere(a netip.Addr, end *endpoint) bool {
	if e.ownAddrs[a] || e.own[single(a)] {
		return true
	}
	for bits := a.BitLen(); bits > 0; bits-- { // the longest prefix wins
		if !e.prefixLengths[bits] {
			continue
		}
		e.steps++
		if at, ok := e.byBlock[netip.PrefixFrom(a, bits).Masked()]; ok {
			return at != disputed && &e.endpoints[at] != end
		}
	}
	return false
}

// unique returns the blocks without repetitions, in their order.
func unique(blocks []netip.Prefix) []netip.Prefix {
	if len(blocks) < 2 {
		return blocks
	}
	seen := make(map[netip.Prefix]bool, len(blocks))
	return slices.DeleteFunc(blocks, func(b netip.Prefix) bool {
		again := seen[b]
		seen[b] = true
		return again
	})
}

// guesses returns the addresses that may answer, the likeliest first.
func (e *enumeration) guesses(d *device, p Peer) []netip.Addr {
	candidates := make([]netip.Addr, 0, 1+maxAlternatives)
	add := func(a netip.Addr) {
		if !slices.Contains(candidates, a) {
			candidates = append(candidates, a)
		}
	}
	first, second := p.Block.Addr(), p.Block.Addr().Next()
	if p.Block.IsSingleIP() {
		second = first
	}
	if e.usesSecondAddr(d, p.Block) {
		first, second = second, first
	}
	add(first)
	add(second)
	for _, b := range p.More {
		if len(candidates) > maxAlternatives {
			break
		}
		e.steps++
		add(b.Addr())
	}
	return candidates
}

// usesSecondAddr reports whether the second address of a block is likelier to answer
// than the first, judged by how the node numbers its own end.
func (e *enumeration) usesSecondAddr(d *device, block netip.Prefix) bool {
	for _, a := range d.Addrs {
		e.steps++
		if a.Addr().BitLen() != block.Addr().BitLen() {
			continue
		}
		switch base := netip.PrefixFrom(a.Addr(), block.Bits()).Masked().Addr(); a.Addr() {
		case base:
			return false
		case base.Next():
			return true
		}
	}
	return d.Remote.IsValid() // kube-router's devices have no address
}
