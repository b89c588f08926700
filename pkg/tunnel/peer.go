// SPDX-License-Identifier: Apache-2.0

package tunnel

import "net/netip"

// A Peer is another node at the far end of a tunnel. A node that has several
// blocks behind one device is one peer: it takes one packet to warm it.
type Peer struct {
	Device string // "tunl0"
	Kind   string // IFLA_INFO_KIND of the device: ipip, vxlan, …
	// Port is the UDP port of the outer packets. Zero: they are no UDP, but IP
	// protocol 4 for ipip, 41 for sit and ip6tnl, 47 for gre.
	Port uint16

	Block netip.Prefix   // pod addresses behind it; the zero Prefix where none is known
	More  []netip.Prefix // its other blocks

	Outer  netip.Addr // the node's own address; the zero Addr where the kernel does not say
	Probed netip.Addr // the address that answers a ping through the tunnel; zero: none known
	// Guessed: Probed follows from how network plugins number their tunnels, not
	// from a table of the kernel. That it is silent says even less then.
	Guessed bool
	Also    []netip.Addr // what may answer in its place, the likeliest first
	// Links are the indexes of the devices by which its answers come in: the tunnel,
	// and the bridge that it is a port of. nil: any, as of an address that is no
	// tunnel's, or where the device has no address, so that the node asks by another one.
	Links []int
}

// A Table is what the kernel says of the tunnels of a node.
type Table struct {
	Peers         []Peer         // in the order of their first routes
	NotEnumerable []Unenumerable // tunnels whose ends are not, or not wholly, in the kernel's tables
	Down          []Down
	Duplicates    []Duplicate
}

// Unenumerable is a device that has ends which the kernel does not know.
type Unenumerable struct{ Device, Reason string }

// Down is a device that is set down although the network needs it.
type Down struct {
	Device string
	Needed string // why we think so, a clause: "it still has 3 routes"
}

// A Duplicate is what two ends lay claim to.
type Duplicate struct {
	Device string
	What   string   // "tunnel address 10.244.1.0", "block 10.244.1.0/26" or "MAC 0a:58:0a:f4:02:00"
	Who    []string // outer addresses, tunnel addresses for a MAC, or "this node"; two or more, sorted
}
