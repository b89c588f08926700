// SPDX-License-Identifier: Apache-2.0

// Package netstate reads and changes the network state of the kernel: what a path given
// as CNI_NETNS leads to, and the links, addresses, routes and sysctls of a namespace. It
// is the only package that enters namespaces and uses netlink; its README explains why.
//
// Checks use a View. Live is the kernel. Fake is a model of it with a text form, so that
// a check can be tested without privileges.
package netstate

import (
	"context"
	"net"
	"net/netip"
)

// A View is one network namespace. The caller never switches threads. Errors wrap
// fs.ErrNotExist if the link or sysctl does not exist, and fs.ErrPermission if the kernel
// refuses. Any other error means that the kernel could not be asked. All methods may be
// called concurrently.
type View interface {
	// Link returns one link by its name.
	Link(name string) (Link, error)
	// Links returns all links, in the order of their index. Its cost grows with
	// the node; no check of the pod path may call it.
	Links() ([]Link, error)
	// Addrs returns the addresses of one link with their prefix lengths. On a
	// kernel older than 4.20 the cost grows with the addresses of the namespace.
	Addrs(link string) ([]netip.Prefix, error)
	// Routes returns the main table of both families. Its cost grows with the
	// table; no check of the pod path may call it.
	Routes() ([]Route, error)
	// AllAddrs returns the addresses of all links. Its cost grows with the node; no
	// check of the pod path may call it.
	AllAddrs() ([]LinkAddr, error)
	// Rules returns the rules of both families, each family by priority. Its cost
	// grows with them; no check of the pod path may call it.
	Rules() ([]Rule, error)
	// Counter returns a field of a file below /proc/net, such as
	// "netstat/IPReversePathFilter" or "snmp/Udp:InCsumErrors", or of one below /proc/net/stat, such as
	// "stat/nf_conntrack/drop", summed over all processors. The error wraps
	// fs.ErrNotExist if there is no such file or field.
	Counter(name string) (uint64, error)
	// Lookup returns where a packet to an address would go. Its cost does not grow
	// with the node. The error wraps fs.ErrNotExist if no route leads there.
	Lookup(addr netip.Addr) (Hop, error)
	// TunnelDump returns the tunnels of the given kinds, or of all (TunnelKinds) without
	// a kind, with the routes, neighbours and forwarding entries over them. It includes
	// an Open vSwitch that a tunnel is a port of if that kind is wanted as well. Its cost
	// grows with the number of these, and a little with the node; no check of the pod
	// path may call it each time.
	TunnelDump(kinds ...string) (TunnelDump, error)
	// Flows returns the entries of connection tracking for an IP protocol without ports,
	// such as 4. The error wraps ErrNoConntrack if there is no connection tracking.
	// Before Linux 5.8 the cost grows with all connections of the namespace.
	Flows(protocol uint8) ([]Flow, error)
	// BoundUDP reports whether a socket of any process of the namespace is bound to a UDP
	// port, of whatever family. Its cost grows with the sockets; no check of the pod path
	// may call it.
	BoundUDP(port uint16) (bool, error)
	// Sysctl returns the content of /proc/sys/NAME without the final newline. Elements
	// are separated by slashes, so that a dot in an interface name stays a dot:
	// "net/ipv4/conf/eth0.100/forwarding".
	Sysctl(name string) (string, error)

	Bridging
	Chains
	Forwarding
	Rulesets
	Paths

	// ListenICMP opens a raw socket for ICMPv6, or ICMP. Its errors wrap
	// fs.ErrPermission without CAP_NET_RAW.
	ListenICMP(six bool) (ICMPConn, error)

	// SetUp sets IFF_UP on a link. A link that is up is no error.
	SetUp(link string) error
	// AddAddr adds an address to a link. An address that the link has is no error.
	AddAddr(link string, addr netip.Prefix) error
	// SetSysctl writes /proc/sys/NAME, named as for Sysctl.
	SetSysctl(name, value string) error
}

// A Link is a network interface.
type Link struct {
	Name   string
	Index  int              // 1 or more
	Kind   string           // IFLA_INFO_KIND, such as "veth"; "" for lo and hardware
	Up     bool             // IFF_UP: set up by the administrator, whatever the carrier
	MAC    net.HardwareAddr // nil if the kind has none
	MTU    int              // in bytes, of the packets in it; 0 if it is not known
	Master int              // index of the bridge, VRF, bond or Open vSwitch that it is a port of; 0 for none
	// MasterKind is the Kind of Master, which the port's own message has
	// (IFLA_INFO_SLAVE_KIND); "" for none.
	MasterKind string
	// Peer is the index of the other end of a veth or netkit, in the namespace of that end
	// (IFLA_LINK); 0 for all other kinds.
	Peer int
}

// A Route is one next hop of an entry of the main routing table.
type Route struct {
	Dst      netip.Prefix // the zero Prefix is the default route
	Gateway  netip.Addr   // the zero Addr if the destination is on the link
	Link     string       // "" for a blackhole, or a link that vanished meanwhile
	Protocol int          // rtnetlink(7) rtm_protocol: 2 kernel, 12 bird, 80 Calico
}

// A Hop is the first step of a packet to its destination.
type Hop struct {
	Local   bool       // to the namespace itself: the address is its own
	Gateway netip.Addr // the zero Addr if the destination is on the link
	Link    int        // index of the device that the packet leaves by
	Source  netip.Addr // the address that the kernel chooses for the sender; the zero Addr if it named none
}

// Unreadable is a View whose methods all return one error. It takes the place of a
// namespace that could not be opened, so that a check is unknown, and no View is nil.
type Unreadable struct{ Err error }

var _ View = Unreadable{}

// Link implements View.
func (u Unreadable) Link(string) (Link, error) { return Link{}, u.Err }

// Links implements View.
func (u Unreadable) Links() ([]Link, error) { return nil, u.Err }

// Addrs implements View.
func (u Unreadable) Addrs(string) ([]netip.Prefix, error) { return nil, u.Err }

// Routes implements View.
func (u Unreadable) Routes() ([]Route, error) { return nil, u.Err }

// TunnelDump implements View.
func (u Unreadable) TunnelDump(...string) (TunnelDump, error) { return TunnelDump{}, u.Err }

// Flows implements View.
func (u Unreadable) Flows(uint8) ([]Flow, error) { return nil, u.Err }

// BoundUDP implements View.
func (u Unreadable) BoundUDP(uint16) (bool, error) { return false, u.Err }

// Sysctl implements View.
func (u Unreadable) Sysctl(string) (string, error) { return "", u.Err }

// ListenICMP implements View.
func (u Unreadable) ListenICMP(bool) (ICMPConn, error) { return nil, u.Err }

// LinkByIndex implements View.
func (u Unreadable) LinkByIndex(int) (Link, error) { return Link{}, u.Err }

// MasterOf implements View.
func (u Unreadable) MasterOf(Link) (Link, error) { return Link{}, u.Err }

// IsPeerIn implements View.
func (u Unreadable) IsPeerIn(int, *Netns) (bool, error) { return false, u.Err }

// Bridge implements View.
func (u Unreadable) Bridge(string) (Bridge, error) { return Bridge{}, u.Err }

// AddPort implements View.
func (u Unreadable) AddPort(string, string, PortSettings) error { return u.Err }

// SetBridgeNetfilter implements View.
func (u Unreadable) SetBridgeNetfilter(string, bool) error { return u.Err }

// NFTChain implements View.
func (u Unreadable) NFTChain(Chain) (bool, error) { return false, u.Err }

// LegacyChain implements View.
func (u Unreadable) LegacyChain(Chain) (bool, error) { return false, u.Err }

// SetUp implements View.
func (u Unreadable) SetUp(string) error { return u.Err }

// AddAddr implements View.
func (u Unreadable) AddAddr(string, netip.Prefix) error { return u.Err }

// SetSysctl implements View.
func (u Unreadable) SetSysctl(string, string) error { return u.Err }

// Lookup implements View.
func (u Unreadable) Lookup(netip.Addr) (Hop, error) { return Hop{}, u.Err }

// AllAddrs implements View.
func (u Unreadable) AllAddrs() ([]LinkAddr, error) { return nil, u.Err }

// Rules implements View.
func (u Unreadable) Rules() ([]Rule, error) { return nil, u.Err }

// Counter implements View.
func (u Unreadable) Counter(string) (uint64, error) { return 0, u.Err }

// Ruleset implements View.
func (u Unreadable) Ruleset(*Ruleset) (*Ruleset, error) { return nil, u.Err }

// LinkCounters implements View.
func (u Unreadable) LinkCounters(string) (LinkCounters, error) { return LinkCounters{}, u.Err }

// Offload implements View.
func (u Unreadable) Offload(string) (Offload, error) { return Offload{}, u.Err }

// Dial implements View.
func (u Unreadable) Dial(context.Context, string, string) (net.Conn, error) { return nil, u.Err }

// AskMAC implements View.
func (u Unreadable) AskMAC(context.Context, []MACQuestion) ([]MAC, error) { return nil, u.Err }
