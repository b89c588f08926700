// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"fmt"
	"io/fs"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// LinkByIndex implements View.
func (l *Live) LinkByIndex(index int) (Link, error) {
	if index <= 0 { // 0 would ask for any link
		return Link{}, fmt.Errorf("get link with index %d: %w", index, fs.ErrNotExist)
	}
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = int32(index)
	answer, err := l.askLink(msg)
	if err != nil {
		return Link{}, fmt.Errorf("get link with index %d: %w", index, errnoMeaning(err))
	}
	link, err := netlink.LinkDeserialize(nil, answer)
	if err != nil {
		return Link{}, fmt.Errorf("get link with index %d: %w", index, err)
	}
	return fromNetlink(link), nil
}

// askLink returns the answer of the kernel about one link, without counters.
func (l *Live) askLink(parts ...nl.NetlinkRequestData) ([]byte, error) {
	req := l.request(unix.RTM_GETLINK, unix.NLM_F_ACK)
	for _, part := range parts {
		req.AddData(part)
	}
	req.AddData(nl.NewRtAttr(unix.IFLA_EXT_MASK, nl.Uint32Attr(skipStats)))
	answers, err := req.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWLINK)
	if err != nil {
		return nil, err
	}
	if len(answers) != 1 {
		return nil, fmt.Errorf("the kernel returned %d links", len(answers))
	}
	return answers[0], nil
}

// Bridge implements View.
func (l *Live) Bridge(name string) (Bridge, error) {
	b, _, err := l.bridge(name)
	return b, err
}

// bridge returns the settings of a bridge, and its index.
func (l *Live) bridge(name string) (Bridge, int, error) {
	if name == "" || len(name) >= unix.IFNAMSIZ {
		return Bridge{}, 0, fmt.Errorf("get bridge %s: %w", name, fs.ErrNotExist)
	}
	answer, err := l.askLink(nl.NewIfInfomsg(unix.AF_UNSPEC), nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name)))
	if err != nil {
		return Bridge{}, 0, fmt.Errorf("get bridge %s: %w", name, errnoMeaning(err))
	}
	b, index, is := parseBridge(answer)
	if !is {
		return Bridge{}, 0, fmt.Errorf("get bridge %s: it is no bridge: %w", name, fs.ErrNotExist)
	}
	return b, index, nil
}

// parseBridge reads one RTM_NEWLINK. is reports whether it is about a bridge.
func parseBridge(b []byte) (bridge Bridge, index int, is bool) {
	if len(b) < unix.SizeofIfInfomsg {
		return bridge, 0, false
	}
	index = int(nl.DeserializeIfInfomsg(b).Index)
	for kind, value := range attributes(b[unix.SizeofIfInfomsg:]) {
		if kind != unix.IFLA_LINKINFO {
			continue
		}
		for kind, value := range attributes(value) { // the kind comes before its data
			switch {
			case kind == unix.IFLA_INFO_KIND:
				is = unix.ByteSliceToString(value) == "bridge"
			case kind == unix.IFLA_INFO_DATA && is:
				bridge.parseData(value)
			}
		}
	}
	return bridge, index, is
}

func (b *Bridge) parseData(data []byte) {
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
func (l *Live) AddPort(bridge, link string, hairpin bool) error {
	_, master, err := l.bridge(bridge)
	if err != nil {
		return fmt.Errorf("make %s a port of %s: %w", link, bridge, err)
	}
	port, err := l.Link(link)
	if err == nil {
		err = l.changeLink(unix.RTM_SETLINK, port.Index, nl.NewRtAttr(unix.IFLA_MASTER, nl.Uint32Attr(uint32(master))))
	}
	if err == nil && hairpin {
		err = l.setHairpin(port.Index)
	}
	if err != nil {
		return fmt.Errorf("make %s a port of %s: %w", link, bridge, errnoMeaning(err))
	}
	return nil
}

// changeLink changes one attribute of a link.
func (l *Live) changeLink(message, index int, attr nl.NetlinkRequestData) error {
	req := l.request(message, unix.NLM_F_ACK)
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = int32(index)
	req.AddData(msg)
	req.AddData(attr)
	_, err := req.Execute(unix.NETLINK_ROUTE, 0)
	return err
}

// setHairpin lets a port send a packet back to where it came from, so that a pod
// reaches itself through a Service.
func (l *Live) setHairpin(index int) error {
	req := l.request(unix.RTM_SETLINK, unix.NLM_F_ACK)
	msg := nl.NewIfInfomsg(unix.AF_BRIDGE)
	msg.Index = int32(index)
	req.AddData(msg)
	info := nl.NewRtAttr(unix.IFLA_PROTINFO|unix.NLA_F_NESTED, nil)
	info.AddRtAttr(nl.IFLA_BRPORT_MODE, nl.Uint8Attr(1))
	req.AddData(info)
	_, err := req.Execute(unix.NETLINK_ROUTE, 0)
	return err
}
