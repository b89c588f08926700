// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"bytes"
	"encoding/binary"
	"fmt"
	mathbits "math/bits"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// payloadName returns what nft calls a field of a header.
func payloadName(base uint32, offset, n int) string {
	type field struct{ offset, n int }
	at := field{offset, n}
	switch base {
	case unix.NFT_PAYLOAD_NETWORK_HEADER:
		switch {
		case offset == 12 && n <= 4:
			return "ip saddr"
		case offset == 16 && n <= 4:
			return "ip daddr"
		case at == field{9, 1}:
			return "ip protocol"
		case at == field{6, 1}:
			return "ip6 nexthdr"
		case offset == 8 && n > 1:
			return "ip6 saddr"
		case offset == 24:
			return "ip6 daddr"
		}
		return fmt.Sprintf("@nh,%d,%d", offset*8, n*8)
	case unix.NFT_PAYLOAD_TRANSPORT_HEADER:
		switch at {
		case field{0, 2}:
			return "th sport"
		case field{2, 2}:
			return "th dport"
		case field{0, 1}:
			return "icmp type"
		case field{tcpFlags, 1}:
			return "tcp flags"
		}
		return fmt.Sprintf("@th,%d,%d", offset*8, n*8)
	}
	return fmt.Sprintf("@%d,%d,%d", base, offset*8, n*8)
}

// protocolNames are those that rules for tunnels and pods use.
func protocolNames() map[byte]string {
	return map[byte]string{1: "icmp", 2: "igmp", 4: "ipencap", 6: "tcp", 17: "udp", 41: "ipv6", 47: "gre", 50: "esp", 58: "ipv6-icmp", 132: "sctp"}
}

// valueWords returns a value as nft writes it.
func valueWords(name string, value, mask []byte) string {
	switch {
	case name == "iifname" || name == "oifname":
		if !bytes.Contains(value, []byte{0}) && len(value) < 16 {
			return `"` + string(value) + `*"`
		}
		return `"` + text(value) + `"`
	case strings.HasSuffix(name, " saddr") || strings.HasSuffix(name, " daddr"):
		return addressWords(value, mask, strings.HasPrefix(name, "ip6"))
	case (name == "th sport" || name == "th dport") && len(value) == 2:
		return fmt.Sprint(binary.BigEndian.Uint16(value))
	case (name == "meta l4proto" || name == "ip protocol" || name == "ip6 nexthdr") && len(value) == 1:
		if known := protocolNames()[value[0]]; known != "" {
			return known
		}
		return fmt.Sprint(value[0])
	case name == "meta nfproto" && len(value) == 1:
		return map[byte]string{2: "ipv4", 10: "ipv6"}[value[0]]
	case (name == "ct state" || name == "ct status") && len(value) == 4:
		return flagWords(name, value)
	case (name == "iif" || name == "oif") && len(value) == 4:
		return fmt.Sprint(binary.NativeEndian.Uint32(value))
	case name == "meta mark" && len(value) == 4:
		if len(mask) == 4 {
			return fmt.Sprintf("0x%x/0x%x", binary.NativeEndian.Uint32(value), binary.NativeEndian.Uint32(mask))
		}
		return fmt.Sprintf("0x%x", binary.NativeEndian.Uint32(value))
	case strings.HasPrefix(name, "fib ") && len(value) == 4:
		return map[uint32]string{1: "unicast", 2: "local", 3: "broadcast", 4: "anycast", 5: "multicast"}[binary.NativeEndian.Uint32(value)]
	case name == "icmp type" && len(value) == 1:
		return fmt.Sprint(value[0])
	}
	return fmt.Sprintf("0x%x", value)
}

// addressWords returns an address, or a prefix: rules load as many bytes as that has, or
// mask them.
func addressWords(value, mask []byte, six bool) string {
	n := 4
	if six {
		n = 16
	}
	if len(value) > n {
		return fmt.Sprintf("0x%x", value)
	}
	length := 8 * len(value)
	if mask != nil {
		length = 0
		for _, m := range mask {
			length += mathbits.OnesCount8(m)
		}
	}
	addr, _ := netip.AddrFromSlice(append(slices.Clone(value), make([]byte, n-len(value))...))
	if length == addr.BitLen() {
		return addr.String()
	}
	return netip.PrefixFrom(addr, length).String()
}

// intervalWords returns the interval from a value up to before another one.
func intervalWords(name string, from, next []byte) string {
	last := slices.Clone(next)
	for i := len(last) - 1; i >= 0; i-- {
		last[i]--
		if last[i] != 0xff {
			break
		}
	}
	if bytes.Equal(from, last) {
		return valueWords(name, from, nil)
	}
	return valueWords(name, from, nil) + "-" + valueWords(name, last, nil)
}

// flagWords returns the states or statuses of bits.
func flagWords(name string, value []byte) string {
	if len(value) != 4 {
		return fmt.Sprintf("0x%x", value)
	}
	v := binary.NativeEndian.Uint32(value)
	if name == "ct status" {
		if v == statusDNAT {
			return "dnat"
		}
		return fmt.Sprintf("0x%x", v)
	}
	var all []string
	for _, s := range []State{Invalid, Established, Related, New, Untracked} {
		if v&uint32(s) != 0 {
			all = append(all, s.String())
		}
	}
	return strings.Join(all, ",")
}

// quote says what iptables-save prints for the head of a rule.
func (h head) quote(q *quoter) {
	not := func(b bool) string {
		if b {
			return "! "
		}
		return ""
	}
	if !zero(h.srcMask) || h.notSrc {
		q.say("%s-s %s", not(h.notSrc), addressWords(h.src, h.srcMask, h.six))
	}
	if !zero(h.dstMask) || h.notDst {
		q.say("%s-d %s", not(h.notDst), addressWords(h.dst, h.dstMask, h.six))
	}
	interfaceWord := func(name, mask []byte) string {
		word := strings.TrimSuffix(text(name), "+")
		if len(word) < len(mask) && mask[len(word)] == 0 {
			return word + "+"
		}
		return word
	}
	if !zero(h.inMask) || h.notIn {
		q.say("%s-i %s", not(h.notIn), interfaceWord(h.in, h.inMask))
	}
	if !zero(h.outMask) || h.notOut {
		q.say("%s-o %s", not(h.notOut), interfaceWord(h.out, h.outMask))
	}
	if h.proto != 0 {
		q.say("%s-p %s", not(h.notProt), valueWords("meta l4proto", []byte{h.proto}, nil))
	}
	if h.fragment {
		q.say("%s-f", not(h.notFragment))
	}
	if h.odd {
		q.say("[flags that this program does not know]")
	}
}

func (p portMatch) quote(q *quoter) {
	q.say("-m %s", p.name)
	say := func(option string, ranges []portRange, not bool) {
		if ranges == nil {
			return
		}
		var all []string
		for _, r := range ranges {
			word := fmt.Sprint(r.from)
			if r.to != r.from {
				word += fmt.Sprintf(":%d", r.to)
			}
			all = append(all, word)
		}
		if p.name == "multiport" {
			option += "s"
		}
		word := "--" + option + " " + strings.Join(all, ",")
		if not {
			word = "! " + word
		}
		q.say("%s", word)
	}
	say("sport", p.src, p.notSrc)
	say("dport", p.dst, p.notDst)
	say("port", p.either, p.not)
	if p.flags {
		word := "--tcp-flags"
		if p.notFlags {
			word = "! " + word
		}
		q.say("%s 0x%02x 0x%02x", word, p.mask, p.compare)
	}
}

func (i icmpMatch) quote(q *quoter) {
	name := "icmp"
	if i.six {
		name = "icmp6"
	}
	q.say("-m %s --%sv-type %d", name, strings.TrimSuffix(name, "6"), i.kind)
}

func (s stateMatch) quote(q *quoter) {
	var all []string
	for _, of := range []struct {
		bit  uint32
		name string
	}{{1, "INVALID"}, {8, "NEW"}, {4, "RELATED"}, {2, "ESTABLISHED"}, {stateUntracked, "UNTRACKED"}, {stateSNAT, "SNAT"}, {stateDNAT, "DNAT"}} {
		if s.mask&of.bit != 0 {
			all = append(all, of.name)
		}
	}
	option := "--ctstate"
	if s.name == "state" {
		option = "--state"
	}
	if s.not {
		option = "! " + option
	}
	q.say("-m %s %s %s", s.name, option, strings.Join(all, ","))
}

func (k markMatch) quote(q *quoter) {
	not := ""
	if k.not {
		not = "! "
	}
	q.say("-m mark %s--mark 0x%x/0x%x", not, k.value, k.mask)
}

func (a addrTypeMatch) quote(q *quoter) {
	q.say("-m addrtype")
	names := map[uint16]string{1 << 1: "UNICAST", 1 << 2: "LOCAL", 1 << 3: "BROADCAST", 1 << 5: "MULTICAST"}
	for _, of := range []struct {
		option string
		mask   uint16
		not    bool
	}{{"--src-type", a.source, a.notSource}, {"--dst-type", a.destination, a.notDest}} {
		if of.mask == 0 {
			continue
		}
		name := names[of.mask]
		if name == "" {
			name = fmt.Sprintf("0x%x", of.mask)
		}
		if of.not {
			q.say("! %s %s", of.option, name)
		} else {
			q.say("%s %s", of.option, name)
		}
	}
}

func (ipRangeMatch) quote(q *quoter) { q.say("-m iprange …") }

func (c comment) quote(q *quoter) { q.say("-m comment --comment %q", c.text) }

func (t markTarget) quote(q *quoter) { q.say("-j MARK --set-xmark 0x%x/0x%x", t.value, t.mask) }

func (f forgetMark) quote(q *quoter) { q.say("-j %s …", f.text) }
