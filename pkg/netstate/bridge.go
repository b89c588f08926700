// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"fmt"
	"io/fs"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Bridging is the part of a View that joins pods to a node: the two ends of a veth,
// and the bridge that the node's end is a port of. Errors are those of View.
type Bridging interface {
	// LinkByIndex returns one link by its index.
	LinkByIndex(index int) (Link, error)
	// MasterOf returns what a link is a port of: its Name, Index, Kind and Up, and no other
	// field. The zero Link stands for nothing. It costs an eighth of LinkByIndex.
	MasterOf(port Link) (Link, error)
	// IsPeerIn reports whether the other end of a veth or netkit, named by its index
	// here, is in a namespace. That two ends name each other's index does not prove
	// that they are one pair: the interface of most pods has the index 2.
	IsPeerIn(index int, netns *Netns) (bool, error)
	// Bridge returns the settings of a bridge. The error wraps fs.ErrNotExist if
	// there is no link of that name, or it is no Linux bridge.
	Bridge(name string) (Bridge, error)

	// AddPort makes a link a port of a bridge, whatever it was a port of before. A
	// port that leaves a bridge loses its settings; it gets those that are given.
	AddPort(bridge, link string, settings PortSettings) error
	// SetBridgeNetfilter sets nf_call_iptables, or nf_call_ip6tables, of one bridge to
	// 1. The sysctls net.bridge.bridge-nf-call-* stay as they are.
	SetBridgeNetfilter(bridge string, six bool) error
}

// PortSettings are settings of a port of a bridge. The zero PortSettings are those of a
// port that was just added.
type PortSettings struct {
	Hairpin  bool // a packet may leave by the port that it came in by
	Isolated bool // no packet passes between it and another isolated port (Linux 4.18)
}

// A Bridge is the settings of a Linux bridge.
type Bridge struct {
	// NFCallIPTables and NFCallIP6Tables report whether the packets that the bridge
	// forwards pass through iptables and nftables for this bridge alone (IFLA_BR_NF_CALL_IPTABLES,
	// IFLA_BR_NF_CALL_IP6TABLES). The sysctl net.bridge.bridge-nf-call-iptables does
	// the same for all bridges of the namespace; one of the two is enough
	// (br_netfilter_hooks.c).
	NFCallIPTables, NFCallIP6Tables bool
	// VLANFiltering: each port belongs to some VLANs, which it loses when it leaves.
	VLANFiltering bool
}

// NFCall returns NFCallIPTables or NFCallIP6Tables.
func (b Bridge) NFCall(six bool) bool {
	if six {
		return b.NFCallIP6Tables
	}
	return b.NFCallIPTables
}

// IsPeerIn implements View.
func (l *Live) IsPeerIn(index int, netns *Netns) (bool, error) {
	q := linkQuestion("")
	q.parts[0].(*nl.IfInfomsg).Index = int32(index)
	there := -1
	err := l.ask(q, func(b []byte) error { there = parseLinkMessage(b).netID; return nil })
	if err != nil {
		return false, fmt.Errorf("get peer of the link with index %d: %w", index, errnoMeaning(err))
	}
	id, err := l.NetID(netns)
	return id >= 0 && id == there, err
}

// Bridge implements View.
func (l *Live) Bridge(name string) (Bridge, error) {
	b, _, err := l.bridge(name)
	return b, err
}

// bridge returns the settings of a bridge, and its index.
func (l *Live) bridge(name string) (Bridge, int, error) {
	m, err := l.getLink(name)
	if err == nil && m.Kind != "bridge" {
		err = fmt.Errorf("it is no bridge: %w", fs.ErrNotExist)
	}
	if err != nil {
		return Bridge{}, 0, fmt.Errorf("get bridge %s: %w", name, errnoMeaning(err))
	}
	return parseBridge(m.data), m.Index, nil
}

// parseBridge reads the IFLA_INFO_DATA of a bridge.
func parseBridge(data []byte) (b Bridge) {
	for kind, value := range attributes(data) {
		set := len(value) > 0 && value[0] != 0
		switch kind {
		case nl.IFLA_BR_NF_CALL_IPTABLES:
			b.NFCallIPTables = set
		case nl.IFLA_BR_NF_CALL_IP6TABLES:
			b.NFCallIP6Tables = set
		case nl.IFLA_BR_VLAN_FILTERING:
			b.VLANFiltering = set
		}
	}
	return b
}

// SetBridgeNetfilter implements View. br_netfilter must be loaded for it to have an
// effect, and compiled in or as a module for the kernel to take it.
func (l *Live) SetBridgeNetfilter(bridge string, six bool) error {
	_, index, err := l.bridge(bridge)
	if err == nil {
		key := nl.IFLA_BR_NF_CALL_IPTABLES
		if six {
			key = nl.IFLA_BR_NF_CALL_IP6TABLES
		}
		info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
		info.AddRtAttr(unix.IFLA_INFO_KIND, nl.NonZeroTerminated("bridge"))
		info.AddRtAttr(unix.IFLA_INFO_DATA, nil).AddRtAttr(key, nl.Uint8Attr(1))
		err = l.changeLink(unix.RTM_NEWLINK, index, info)
	}
	if err != nil {
		return fmt.Errorf("set %s of bridge %s: %w", nfCallName(six), bridge, errnoMeaning(err))
	}
	return nil
}

// nfCallName returns the name that ip-link(8) has for the setting of a bridge.
func nfCallName(six bool) string {
	if six {
		return "nf_call_ip6tables"
	}
	return "nf_call_iptables"
}

// AddPort implements View.
func (l *Live) AddPort(bridge, link string, settings PortSettings) error {
	_, master, err := l.bridge(bridge)
	if err != nil {
		return fmt.Errorf("make %s a port of %s: %w", link, bridge, err)
	}
	port, err := l.Link(link)
	if err == nil {
		err = l.changeLink(unix.RTM_SETLINK, port.Index, nl.NewRtAttr(unix.IFLA_MASTER, nl.Uint32Attr(uint32(master))))
	}
	if err == nil && settings != (PortSettings{}) {
		err = l.setPort(port.Index, settings)
	}
	if err != nil {
		return fmt.Errorf("make %s a port of %s: %w", link, bridge, errnoMeaning(err))
	}
	return nil
}

// setPort switches on the settings of a port that are set.
func (l *Live) setPort(index int, settings PortSettings) error {
	msg := nl.NewIfInfomsg(unix.AF_BRIDGE)
	msg.Index = int32(index)
	info := nl.NewRtAttr(unix.IFLA_PROTINFO|unix.NLA_F_NESTED, nil)
	if settings.Hairpin {
		info.AddRtAttr(nl.IFLA_BRPORT_MODE, nl.Uint8Attr(1))
	}
	if settings.Isolated {
		info.AddRtAttr(nl.IFLA_BRPORT_ISOLATED, nl.Uint8Attr(1))
	}
	return l.change(unix.RTM_SETLINK, 0, msg, info)
}
