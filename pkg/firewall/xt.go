// SPDX-License-Identifier: Apache-2.0

package firewall

import "encoding/binary"

// decodeMatch decodes a match of iptables. It only narrows down what a rule matches, so
// that one which is not known makes the rule doubtful, and no more.
func decodeMatch(name string, revision uint32, b []byte) step {
	switch {
	case name == "comment":
		return comment{text(b)}
	case name == "udp" && revision == 0 && len(b) >= 9:
		return portsOf("udp", protoUDP, b, b[8]&1 != 0, b[8]&2 != 0)
	case name == "tcp" && revision == 0 && len(b) >= 12:
		p := portsOf("tcp", protoTCP, b, b[11]&1 != 0, b[11]&2 != 0)
		p.option = b[8] != 0
		p.mask, p.compare, p.notFlags = b[9], b[10], b[11]&4 != 0
		p.flags = p.mask != 0
		return p
	case name == "multiport" && revision == 1 && len(b) >= 48:
		return decodeMultiport(b)
	case (name == "icmp" || name == "icmp6") && revision == 0 && len(b) >= 4:
		return icmpMatch{six: name == "icmp6", kind: b[0], low: b[1], high: b[2], not: b[3]&1 != 0}
	case name == "state" && revision == 0 && len(b) >= 4:
		return stateMatch{name: "state", mask: binary.NativeEndian.Uint32(b)}
	case name == "conntrack" && (revision == 2 || revision == 3) && len(b) >= 154:
		return decodeConntrack(b)
	case name == "mark" && revision == 1 && len(b) >= 9:
		return markMatch{binary.NativeEndian.Uint32(b), binary.NativeEndian.Uint32(b[4:]), b[8] != 0}
	case name == "addrtype" && revision == 1 && len(b) >= 8:
		flags := binary.NativeEndian.Uint32(b[4:])
		return addrTypeMatch{binary.NativeEndian.Uint16(b), binary.NativeEndian.Uint16(b[2:]), flags&1 != 0, flags&2 != 0, flags&^3 != 0}
	case name == "addrtype" && revision == 0 && len(b) >= 12:
		return addrTypeMatch{binary.NativeEndian.Uint16(b), binary.NativeEndian.Uint16(b[2:]), binary.NativeEndian.Uint32(b[4:]) != 0, binary.NativeEndian.Uint32(b[8:]) != 0, false}
	case name == "iprange" && revision == 1 && len(b) >= 65:
		return ipRangeMatch{src: [2][]byte{b[:16], b[16:32]}, dst: [2][]byte{b[32:48], b[48:64]}, flags: b[64]}
	}
	return doubtful{text: "the match " + name, match: name}
}

// An icmpMatch compares the type of ICMP; 255 is any.
type icmpMatch struct {
	six             bool
	kind, low, high byte
	not             bool
}

func (i icmpMatch) run(m *machine) tri {
	if !i.six && i.kind == 255 {
		return certain(!i.not)
	}
	t := m.field(m.transport, 0, 1).equals([]byte{i.kind})
	if i.low != 0 || i.high != 255 {
		t = t.and(m.field(m.transport, 1, 1).within([]byte{i.low}, []byte{i.high}))
	}
	if i.not {
		t = t.not()
	}
	return m.unsure(t)
}

// Bits of the state masks of iptables that ct state does not have.
const (
	stateSNAT      = 1 << 6
	stateDNAT      = 1 << 7
	stateUntracked = 1 << 8
)

// A stateMatch compares the state of connection tracking, or its status.
type stateMatch struct {
	name string
	mask uint32
	not  bool
	more bool // it compares more than that
}

func decodeConntrack(b []byte) step {
	flags, inverted := binary.NativeEndian.Uint16(b[146:]), binary.NativeEndian.Uint16(b[148:])
	const state, alias = 1, 1 << 13
	s := stateMatch{name: "conntrack", mask: uint32(binary.NativeEndian.Uint16(b[150:])), not: inverted&state != 0}
	s.more = flags&^(state|alias) != 0
	if flags&state == 0 {
		return doubtful{text: "the match conntrack", match: "conntrack"}
	}
	return s
}

func (s stateMatch) run(m *machine) tri {
	is, known := m.ctState()
	t := maybe
	if known {
		have := uint32(is)
		if is == Untracked {
			have = stateUntracked
		}
		t = certain(s.mask&have != 0)
		if t == no && s.mask&stateDNAT != 0 && is != Untracked {
			t = m.st.translate
		}
		if t == no && s.mask&stateSNAT != 0 && is != Untracked && m.hook != hookPrerouting {
			t = maybe
		}
	}
	if s.not {
		t = t.not()
	}
	if s.more {
		t = t.and(maybe)
	}
	return m.unsure(t)
}

// A markMatch compares the mark of the packet.
type markMatch struct {
	value, mask uint32
	not         bool
}

func (k markMatch) run(m *machine) tri {
	t := m.st.mark.equals(k.value, k.mask)
	if k.not {
		t = t.not()
	}
	if t == maybe {
		return m.doubt("it depends on the mark of the packet")
	}
	return t
}

// An addrTypeMatch compares the type of addresses, by bits of RTN_ types.
type addrTypeMatch struct {
	source, destination uint16
	notSource, notDest  bool
	limited             bool // to an interface
}

func (a addrTypeMatch) run(m *machine) tri {
	t := yes
	one := func(mask uint16, source, not bool) {
		if mask == 0 {
			return
		}
		kind, known := m.addressType(source)
		match := maybe
		if known {
			match = certain(mask&(1<<kind) != 0)
		}
		if not {
			match = match.not()
		}
		t = t.and(match)
	}
	one(a.source, true, a.notSource)
	one(a.destination, false, a.notDest)
	if a.limited {
		t = t.and(maybe)
	}
	return m.unsure(t)
}

// An ipRangeMatch compares addresses with ranges.
type ipRangeMatch struct {
	src, dst [2][]byte
	flags    byte // IPRANGE_SRC 1, DST 2, SRC_INV 16, DST_INV 32
}

func (r ipRangeMatch) run(m *machine) tri {
	n, source, destination := 4, 12, 16
	if m.packet.Six {
		n, source, destination = 16, 8, 24
	}
	t := yes
	if r.flags&1 != 0 {
		match := m.field(m.network, source, n).within(r.src[0][:n], r.src[1][:n])
		if r.flags&16 != 0 {
			match = match.not()
		}
		t = t.and(match)
	}
	if r.flags&2 != 0 {
		match := m.field(m.network, destination, n).within(r.dst[0][:n], r.dst[1][:n])
		if r.flags&32 != 0 {
			match = match.not()
		}
		t = t.and(match)
	}
	return m.unsure(t)
}

// A comment matches everything.
type comment struct{ text string }

func (comment) run(*machine) tri { return yes }
