// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"bytes"
	"encoding/binary"
	"net/netip"
)

// A head is what a rule of iptables says without a match: struct ipt_ip and ip6t_ip6.
type head struct {
	six                    bool
	src, srcMask           []byte
	dst, dstMask           []byte
	in, inMask             []byte
	out, outMask           []byte
	proto                  byte // 0: any
	fragment               bool
	notSrc, notDst         bool
	notIn, notOut, notProt bool
	notFragment            bool
	odd                    bool // it has a flag that is not known
}

func decodeEntryHead(b []byte, l layout) step {
	a := l.addr
	h := head{six: a == 16, src: b[:a], dst: b[a : 2*a], srcMask: b[2*a : 3*a], dstMask: b[3*a : 4*a],
		in: b[l.in : l.in+16], out: b[l.out : l.out+16], inMask: b[l.inM : l.inM+16], outMask: b[l.outM : l.outM+16],
		proto: b[l.proto]}
	flags, inv := b[l.flags], b[l.inv]
	known := byte(3)
	if h.six {
		known = 7
		if flags&1 == 0 {
			h.proto = 0
		}
	} else {
		h.fragment = flags&1 != 0
	}
	h.notIn, h.notOut, h.notSrc, h.notDst = inv&1 != 0, inv&2 != 0, inv&8 != 0, inv&16 != 0
	h.notFragment, h.notProt = inv&32 != 0, inv&64 != 0
	h.odd = flags&^known != 0 || inv&4 != 0
	return h
}

func (h head) run(m *machine) tri {
	t := yes
	also := func(match tri, not bool) {
		if not {
			match = match.not()
		}
		t = t.and(match)
	}
	source, destination := 12, 16
	if h.six {
		source, destination = 8, 24
	}
	masked := func(b bits, value, mask []byte) tri {
		want := make([]byte, len(mask)) // "eth+" keeps its plus
		for i := range mask {
			b.value[i] &= mask[i]
			b.known[i] |= ^mask[i]
			want[i] = value[i] & mask[i]
		}
		return b.equals(want)
	}
	if !zero(h.srcMask) || h.notSrc {
		also(masked(m.field(m.network, source, len(h.src)), h.src, h.srcMask), h.notSrc)
	}
	if !zero(h.dstMask) || h.notDst {
		also(masked(m.field(m.network, destination, len(h.dst)), h.dst, h.dstMask), h.notDst)
	}
	if !zero(h.inMask) || h.notIn {
		also(masked(m.interfaceOf(m.in, interfaceBits, 16), h.in, h.inMask), h.notIn)
	}
	if !zero(h.outMask) || h.notOut {
		also(masked(m.interfaceOf(m.out, interfaceBits, 16), h.out, h.outMask), h.notOut)
	}
	if h.proto != 0 {
		if m.packet.Protocol == 0 || m.st.altered {
			also(maybe, false)
		} else {
			also(certain(m.packet.Protocol == h.proto), h.notProt)
		}
	}
	if h.fragment {
		also(no, h.notFragment) // what is judged is no fragment behind the first
	}
	if h.odd && t != no {
		t = maybe
	}
	return m.unsure(t)
}

func zero(b []byte) bool { return len(bytes.Trim(b, "\x00")) == 0 }

// A portMatch compares ports: the matches udp, tcp and multiport.
type portMatch struct {
	name             string
	proto            byte // 0: any that has ports
	src, dst, either []portRange
	notSrc, notDst   bool
	not              bool // of either
	flags            bool // TCP flags or options
	mask, compare    byte
	notFlags, option bool
}

type portRange struct{ from, to uint16 }

func (p portMatch) run(m *machine) tri {
	if p.proto != 0 && m.packet.Protocol != 0 && m.packet.Protocol != p.proto {
		return no
	}
	t := yes
	source, destination := m.field(m.transport, 0, 2), m.field(m.transport, 2, 2)
	also := func(match tri, not bool) {
		if not {
			match = match.not()
		}
		t = t.and(match)
	}
	if p.src != nil {
		also(inRanges(source, p.src), p.notSrc)
	}
	if p.dst != nil {
		also(inRanges(destination, p.dst), p.notDst)
	}
	if p.either != nil {
		also(max(inRanges(source, p.either), inRanges(destination, p.either)), p.not)
	}
	if p.flags {
		b := m.field(m.transport, tcpFlags, 1)
		b.value[0] &= p.mask
		b.known[0] |= ^p.mask
		also(b.equals([]byte{p.compare}), p.notFlags)
	}
	if p.option {
		also(maybe, false)
	}
	return m.unsure(t)
}

func inRanges(port bits, ranges []portRange) tri {
	t := no
	for _, r := range ranges {
		t = max(t, port.within(binary.BigEndian.AppendUint16(nil, r.from), binary.BigEndian.AppendUint16(nil, r.to)))
	}
	return t
}

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

func portsOf(name string, proto byte, b []byte, notSrc, notDst bool) portMatch {
	port := func(at int) uint16 { return binary.NativeEndian.Uint16(b[at:]) }
	p := portMatch{name: name, proto: proto, notSrc: notSrc, notDst: notDst}
	if r := (portRange{port(0), port(2)}); r != (portRange{0, 0xffff}) || notSrc {
		p.src = []portRange{r}
	}
	if r := (portRange{port(4), port(6)}); r != (portRange{0, 0xffff}) || notDst {
		p.dst = []portRange{r}
	}
	return p
}

func decodeMultiport(b []byte) step {
	p := portMatch{name: "multiport"}
	var ranges []portRange
	for i := 0; i < min(int(b[1]), 15); i++ {
		from := binary.NativeEndian.Uint16(b[2+2*i:])
		to := from
		if b[32+i] != 0 && i < 14 {
			i++
			to = binary.NativeEndian.Uint16(b[2+2*i:])
		}
		ranges = append(ranges, portRange{from, to})
	}
	not := b[47] != 0
	switch b[0] {
	case 0:
		p.src, p.notSrc = ranges, not
	case 1:
		p.dst, p.notDst = ranges, not
	default:
		p.either, p.not = ranges, not
	}
	return p
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

// A markTarget is mark = (mark & ^mask) ^ value.
type markTarget struct{ value, mask uint32 }

func (t markTarget) run(m *machine) tri {
	m.st.mark = m.st.mark.set(^t.mask, t.value)
	return yes
}

// A forgetMark takes the mark from somewhere else.
type forgetMark struct{ text string }

func (forgetMark) run(m *machine) tri {
	m.st.mark = mark{}
	return yes
}

// decodeTarget decodes a target of iptables.
func decodeTarget(name string, revision uint32, b []byte) step {
	switch name {
	case "REJECT":
		return verdictStep{verdict: verdict{kind: vReject}}
	case "DNAT", "REDIRECT", "NETMAP", "SNAT", "MASQUERADE":
		return verdictStep{verdict: verdict{kind: vTranslate}, text: name}
	case "NOTRACK":
		return notrack{}
	case "CT":
		if len(b) >= 2 && binary.NativeEndian.Uint16(b)&1 != 0 { // XT_CT_NOTRACK
			return notrack{}
		}
		return remark{name}
	case "MARK":
		if revision == 2 && len(b) >= 8 {
			return markTarget{binary.NativeEndian.Uint32(b), binary.NativeEndian.Uint32(b[4:])}
		}
	case "CONNMARK", "CONNSECMARK":
		return forgetMark{name}
	case "LOG", "NFLOG", "TRACE", "TCPMSS", "CHECKSUM", "CLASSIFY", "SET", "AUDIT", "SECMARK", "TTL", "HL", "TOS", "DSCP", "LED", "RATEEST", "IDLETIMER":
		return remark{name}
	}
	return opaque{"the target " + name}
}

// prefixBytes returns an address and a mask.
func prefixBytes(p netip.Prefix) (addr, mask []byte) {
	addr = p.Masked().Addr().AsSlice()
	mask = make([]byte, len(addr))
	for i := range mask {
		if n := p.Bits() - 8*i; n >= 8 {
			mask[i] = 0xff
		} else if n > 0 {
			mask[i] = ^byte(0xff >> n)
		}
	}
	return addr, mask
}
