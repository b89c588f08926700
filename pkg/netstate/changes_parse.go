// SPDX-License-Identifier: Apache-2.0

package netstate

import "golang.org/x/sys/unix"

// parseChange reads a message of rtnetlink. It reports false for those that do not
// matter.
func parseChange(kind uint16, b []byte) (Change, bool) {
	switch kind {
	case unix.RTM_NEWLINK, unix.RTM_DELLINK:
		return parseLinkChange(kind, b)
	case unix.RTM_NEWADDR, unix.RTM_DELADDR:
		if len(b) < unix.SizeofIfAddrmsg {
			return Change{}, true
		}
		return Change{Kind: AddrChanged, Link: Link{Index: int(number32(b[4:]))}, IPv6: b[0] == unix.AF_INET6, Gone: kind == unix.RTM_DELADDR}, true
	case unix.RTM_NEWRULE, unix.RTM_DELRULE:
		return Change{Kind: RuleChanged, IPv6: len(b) > 0 && b[0] == unix.AF_INET6, Gone: kind == unix.RTM_DELRULE}, true
	case unix.RTM_NEWNETCONF:
		return parseConfChange(b)
	}
	return Change{}, false
}

// parseLinkChange skips the messages of bridges about their ports, which have the family
// AF_BRIDGE and say nothing that the others do not.
func parseLinkChange(kind uint16, b []byte) (Change, bool) {
	if len(b) < unix.SizeofIfInfomsg {
		return Change{}, true
	}
	if b[0] != unix.AF_UNSPEC {
		return Change{}, false
	}
	c := Change{Kind: LinkChanged, Gone: kind == unix.RTM_DELLINK}
	c.Link.Index, c.Link.Up = int(int32(number32(b[4:]))), number32(b[8:])&unix.IFF_UP != 0
	for attr, value := range attributes(b[unix.SizeofIfInfomsg:]) {
		switch attr {
		case unix.IFLA_IFNAME:
			c.Link.Name = unix.ByteSliceToString(value)
		case unix.IFLA_MASTER:
			c.Link.Master = int(number32(value))
		case unix.IFLA_LINKINFO:
			for attr, value := range attributes(value) {
				if attr == unix.IFLA_INFO_KIND {
					c.Link.Kind = unix.ByteSliceToString(value)
				}
			}
		}
	}
	return c, true
}

// Attributes of linux/netconf.h.
const (
	netconfaIfindex    = 1
	netconfaForwarding = 2
)

// parseConfChange reads struct netconfmsg, a family and padding, and its attributes.
func parseConfChange(b []byte) (Change, bool) {
	if len(b) < 1 {
		return Change{}, true
	}
	c := Change{Kind: ConfChanged, IPv6: b[0] == unix.AF_INET6, Forwarding: -1}
	if b[0] != unix.AF_INET && b[0] != unix.AF_INET6 {
		return c, false // MPLS
	}
	others := 0
	for attr, value := range attributes(b[min(aligned(sizeofNetconf), len(b)):]) {
		switch attr {
		case netconfaIfindex:
			c.Conf = int(int32(number32(value)))
		case netconfaForwarding:
			c.Forwarding = int(int32(number32(value)))
		default:
			others++
		}
	}
	// A change has one value. All values are those of an interface that is new, and begins
	// with those of conf/default.
	return c, c.Forwarding < 0 || others == 0
}
