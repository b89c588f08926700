// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// dumpTunnelLinks asks for one kind at a time if only some are wanted: a node has a
// link for each pod, which the kernel filters out quickly.
func (l *Live) dumpTunnelLinks(d *TunnelDump, kinds []string) error {
	if len(kinds) == 0 {
		return l.dumpLinksOf(d, "", carriesTunnels, new(bool))
	}
	wanted := func(kind string) bool { return carriesTunnels(kind) && slices.Contains(kinds, kind) }
	for i, kind := range kinds {
		if slices.Contains(kinds[:i], kind) {
			continue
		}
		others := false
		before := d.Links
		if err := l.dumpLinksOf(d, kind, wanted, &others); err != nil {
			return err
		}
		if others { // the kernel did not filter, and this is all that there is
			d.Links = d.Links[len(before):]
			return nil
		}
	}
	return nil
}

// dumpLinksOf adds the links that are wanted. It sets others if the kernel returned
// links of another kind than the one asked for.
func (l *Live) dumpLinksOf(d *TunnelDump, kind string, wanted func(kind string) bool, others *bool) error {
	links, err := gather(l, linkQuestion(kind), func(b []byte) []TunnelLink {
		link := parseTunnelLink(b)
		*others = *others || link.Kind != kind
		if !wanted(link.Kind) || link.tap {
			return nil
		}
		return []TunnelLink{link}
	})
	d.Links = append(d.Links, links...)
	return err
}

// parseTunnelLink reads any link. One that is no tunnel has only a name, a kind and a
// master.
func parseTunnelLink(b []byte) TunnelLink {
	m := parseLinkMessage(b)
	t := TunnelLink{Name: m.Name, Index: m.Index, Kind: m.Kind, Up: m.Up, MTU: m.MTU, Master: m.Master}
	t.MAC = macOf(m.MAC)
	t.Unopened = m.Kind == "tun" && m.Up && m.noCarrier
	for kind, value := range attributes(m.data) {
		t.parseData(int(kind), value)
	}
	return t
}

// parseData reads one attribute; each kind has numbers of its own.
func (t *TunnelLink) parseData(kind int, value []byte) {
	switch t.Kind {
	case "ipip", "ip6tnl", "sit":
		t.parseIPTunnel(kind, value)
	case "gre", "gretap", "ip6gre", "ip6gretap":
		t.parseGRE(kind, value)
	case "vxlan":
		t.parseVXLAN(kind, value)
	case "geneve":
		t.parseGeneve(kind, value)
	case "tun":
		const tap = 2 // IFF_TAP, of Ethernet: virtual machines have them
		t.tap = t.tap || kind == unix.IFLA_TUN_TYPE && len(value) > 0 && value[0] == tap
	}
}

func (t *TunnelLink) parseIPTunnel(kind int, value []byte) {
	switch kind {
	case nl.IFLA_IPTUN_LOCAL:
		t.Local = attrAddr(value)
	case nl.IFLA_IPTUN_REMOTE:
		t.Remote = attrAddr(value)
	case nl.IFLA_IPTUN_ENCAP_DPORT: // 0 unless it is in FOU or GUE
		t.Port = port(value)
	case nl.IFLA_IPTUN_COLLECT_METADATA:
		t.External = true
	}
}

func (t *TunnelLink) parseGRE(kind int, value []byte) {
	switch kind {
	case nl.IFLA_GRE_LOCAL:
		t.Local = attrAddr(value)
	case nl.IFLA_GRE_REMOTE:
		t.Remote = attrAddr(value)
	case nl.IFLA_GRE_ENCAP_DPORT:
		t.Port = port(value)
	case nl.IFLA_GRE_COLLECT_METADATA:
		t.External = true
	}
}

func (t *TunnelLink) parseVXLAN(kind int, value []byte) {
	switch kind {
	case nl.IFLA_VXLAN_ID:
		t.VNI = number32(value)
	case nl.IFLA_VXLAN_LOCAL, nl.IFLA_VXLAN_LOCAL6:
		t.Local = attrAddr(value)
	case nl.IFLA_VXLAN_GROUP, nl.IFLA_VXLAN_GROUP6:
		t.Remote = unicast(attrAddr(value))
		t.Group = attrAddr(value).IsMulticast()
	case nl.IFLA_VXLAN_PORT:
		t.Port = port(value)
	case nl.IFLA_VXLAN_FLOWBASED: // 0 on a vxlan without it
		t.External = len(value) > 0 && value[0] != 0
	}
}

func (t *TunnelLink) parseGeneve(kind int, value []byte) {
	switch kind {
	case nl.IFLA_GENEVE_ID:
		t.VNI = number32(value)
	case nl.IFLA_GENEVE_REMOTE, nl.IFLA_GENEVE_REMOTE6:
		t.Remote = unicast(attrAddr(value))
	case nl.IFLA_GENEVE_PORT:
		t.Port = port(value)
	case nl.IFLA_GENEVE_COLLECT_METADATA:
		t.External = true
	}
}

// macOf returns an address of six bytes; the zero MAC for those of other kinds of links.
func macOf(addr net.HardwareAddr) (mac MAC) {
	if len(addr) == len(mac) {
		copy(mac[:], addr)
	}
	return mac
}

func unicast(a netip.Addr) netip.Addr {
	if a.IsMulticast() {
		return netip.Addr{}
	}
	return a
}
