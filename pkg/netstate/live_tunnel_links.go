// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// skipStats asks the kernel for links without their counters, which are most of
// what it says of one (RTEXT_FILTER_SKIP_STATS, Linux 4.4).
const skipStats = 1 << 3

// dumpTunnelLinks asks kind by kind where only some are wanted: a node has a link
// for each pod, which the kernel is quick to leave out.
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

// dumpLinksOf adds the links that are wanted, and tells whether there were others
// than those of the kind that was asked for.
func (l *Live) dumpLinksOf(d *TunnelDump, kind string, wanted func(kind string) bool, others *bool) error {
	links, err := gather(l, linkQuestion(kind), func(b []byte) []TunnelLink {
		link := parseTunnelLink(b)
		*others = *others || link.Kind != kind
		if !wanted(link.Kind) {
			return nil
		}
		return []TunnelLink{link}
	})
	d.Links = append(d.Links, links...)
	return err
}

// linkQuestion asks for the links of a kind, or for all. The kernel filters since
// Linux 4.6, as long as the module of the kind is loaded; otherwise it gives all.
func linkQuestion(kind string) question {
	q := question{unix.RTM_GETLINK, unix.RTM_NEWLINK, []nl.NetlinkRequestData{
		nl.NewIfInfomsg(unix.AF_UNSPEC),
		nl.NewRtAttr(unix.IFLA_EXT_MASK, nl.Uint32Attr(skipStats)),
	}}
	if kind != "" {
		info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
		info.AddRtAttr(unix.IFLA_INFO_KIND, nl.NonZeroTerminated(kind))
		q.parts = append(q.parts, info)
	}
	return q
}

// parseTunnelLink reads any link. One that is no tunnel has no more than a name and
// a kind; what is cut short has none.
func parseTunnelLink(b []byte) (link TunnelLink) {
	if len(b) < unix.SizeofIfInfomsg {
		return link
	}
	msg := nl.DeserializeIfInfomsg(b)
	link.Index, link.Up = int(msg.Index), msg.Flags&unix.IFF_UP != 0
	for kind, value := range attributes(b[unix.SizeofIfInfomsg:]) {
		switch kind {
		case unix.IFLA_IFNAME:
			link.Name = unix.ByteSliceToString(value)
		case unix.IFLA_MASTER:
			link.Master = int(number32(value))
		case unix.IFLA_LINKINFO:
			link.parseInfo(value)
		}
	}
	return link
}

// parseInfo reads IFLA_LINKINFO, in which the kind comes before its data.
func (t *TunnelLink) parseInfo(b []byte) {
	for kind, value := range attributes(b) {
		switch kind {
		case unix.IFLA_INFO_KIND:
			t.Kind = unix.ByteSliceToString(value)
		case unix.IFLA_INFO_DATA:
			for kind, value := range attributes(value) {
				t.parseData(int(kind), value)
			}
		}
	}
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
	case nl.IFLA_VXLAN_PORT:
		t.Port = port(value)
	case nl.IFLA_VXLAN_FLOWBASED: // there, and 0, on one that is not
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

func unicast(a netip.Addr) netip.Addr {
	if a.IsMulticast() {
		return netip.Addr{}
	}
	return a
}
