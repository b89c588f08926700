// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"encoding/binary"
	"net/netip"
)

// A state is what rules change of a packet on its way.
type state struct {
	mark      mark
	untracked tri // connection tracking leaves it alone (notrack)
	translate tri // its destination was changed (ct status dnat)
	altered   bool
}

// or is what is known of either of two.
func (s state) or(other state) state {
	same := func(a, b tri) tri {
		if a == b {
			return a
		}
		return maybe
	}
	return state{
		mark:      s.mark.or(other.mark),
		untracked: same(s.untracked, other.untracked),
		translate: same(s.translate, other.translate),
		altered:   s.altered || other.altered,
	}
}

// A headers is a packet as rules see it.
type headers struct {
	packet    *Packet
	state     State
	network   bits // the IP header
	transport bits // the first bytes behind it
}

// lengths of the headers: IPv4 without options, IPv6, TCP.
const ip4Length, ip6Length, transportLength = 20, 40, 20

// protocols of IP.
const (
	protoICMP, protoTCP, protoUDP, protoICMP6 = 1, 6, 17, 58
)

// tcpFlags is where the flags of TCP are; SYN opens a connection.
const tcpFlags, tcpSYN = 13, 0x02

func newHeaders(p *Packet, s State) *headers {
	h := &headers{packet: p, state: s, transport: unknownBits(transportLength)}
	if p.Six {
		h.network = unknownBits(ip6Length)
		// Behind 6 there may be an extension header, as ip6tnl adds one.
		if p.Protocol == protoTCP || p.Protocol == protoUDP || p.Protocol == protoICMP6 {
			h.network.put(6, p.Protocol)
		}
		h.network.putPrefix(8, p.Src)
		h.network.putPrefix(24, p.Dst)
	} else {
		h.network = unknownBits(ip4Length)
		if p.Protocol != 0 {
			h.network.put(9, p.Protocol)
		}
		h.network.putPrefix(12, p.Src)
		h.network.putPrefix(16, p.Dst)
	}
	switch p.Protocol {
	case protoTCP, protoUDP:
		if p.SrcPort != 0 {
			h.transport.put(0, byte(p.SrcPort>>8), byte(p.SrcPort))
		}
		if p.DstPort != 0 {
			h.transport.put(2, byte(p.DstPort>>8), byte(p.DstPort))
		}
		if p.Protocol == protoTCP && s == New {
			h.transport.put(tcpFlags, tcpSYN)
		}
	case protoICMP, protoICMP6:
		if p.Type != nil {
			h.transport.put(0, *p.Type)
		}
	}
	return h
}

func (b bits) put(at int, value ...byte) {
	for i, v := range value {
		b.value[at+i], b.known[at+i] = v, 0xff
	}
}

// putPrefix puts the bits of an address that a prefix has.
func (b bits) putPrefix(at int, p netip.Prefix) {
	if !p.IsValid() {
		return
	}
	for i, v := range p.Masked().Addr().AsSlice() {
		if at+i >= len(b.value) {
			return
		}
		known := byte(0)
		if n := p.Bits() - 8*i; n >= 8 {
			known = 0xff
		} else if n > 0 {
			known = ^byte(0xff >> n)
		}
		b.value[at+i], b.known[at+i] = v&known, known
	}
}

// view returns n bytes from at, which lie within b and are shared with it.
func (b bits) view(at, n int) bits { return bits{b.value[at : at+n], b.known[at : at+n]} }

// slice returns a copy of n bytes from at; what lies behind the end is unknown.
func (b bits) slice(at, n int) bits {
	out := unknownBits(n)
	if at >= 0 && at < len(b.value) {
		copy(out.value, b.value[at:])
		copy(out.known, b.known[at:])
	}
	return out
}

// A machine runs a rule on a packet.
type machine struct {
	*headers
	hook     uint32
	early    bool // before connection tracking has looked at the packet
	st       state
	register bits // of nf_tables, as bytes
	verdicts []verdict
	why      string // of the first condition that is not certain
}

func newMachine(h *headers, hook uint32, early bool) *machine {
	return &machine{headers: h, hook: hook, early: early, register: unknownBits(registerBytes)}
}

// reset prepares for the next rule.
func (m *machine) reset(st state) {
	m.st, m.verdicts, m.why = st, m.verdicts[:0], ""
	clear(m.register.value)
	clear(m.register.known)
}

// registerBytes is the size of struct nft_regs: 4 verdict words, and 16 of data.
const registerBytes = 80

// doubt records why a condition is not certain.
func (m *machine) doubt(why string) tri {
	if m.why == "" {
		m.why = why
	}
	return maybe
}

// field returns a header of the packet, which must not be changed.
func (m *machine) field(of bits, at, n int) bits {
	switch {
	case m.st.altered:
		return unknownBits(n)
	case at < 0 || at+n > len(of.value):
		return of.slice(at, n)
	}
	return of.view(at, n)
}

// A verdictKind is what a rule does with a packet that it matches.
type verdictKind int

const (
	vContinue verdictKind = iota
	vAccept
	vDrop
	vReject
	vJump
	vGoto
	vReturn
	vTranslate // changes addresses, and accepts
	vMap       // what a map says that was not read
	vUnknown   // anything
)

type verdict struct {
	kind  verdictKind
	chain string // of vJump and vGoto
}

// interfaceBits returns the name of an interface in 16 bytes.
func interfaceBits(i Interface) bits {
	if i.Name == "" {
		return unknownBits(16)
	}
	b := knownBits(make([]byte, 16)...)
	copy(b.value, i.Name)
	return b
}

func indexBits(i Interface) bits {
	if i.Index == 0 {
		return unknownBits(4)
	}
	return knownBits(binary.NativeEndian.AppendUint32(nil, uint32(i.Index))...)
}

// in and out return the interface that a rule of the hook sees.
func (m *machine) in() (Interface, bool) {
	return m.packet.In, m.hook == hookPrerouting || m.hook == hookInput || m.hook == hookForward
}

func (m *machine) out() (Interface, bool) {
	return m.packet.Out, m.hook == hookOutput || m.hook == hookForward || m.hook == hookPostrouting
}

// Hooks of nf_tables and of iptables-legacy.
const (
	hookPrerouting = iota
	hookInput
	hookForward
	hookOutput
	hookPostrouting
	hookIngress
)

// addressType returns the RTN_ type of the source, or of the destination: 1 unicast, 2 local.
func (m *machine) addressType(source bool) (kind byte, known bool) {
	if m.st.altered {
		return 0, false
	}
	if source && m.packet.Hook == Output || !source && m.packet.Hook == Input {
		return 2, true
	}
	return 1, true
}

// ctState returns the bits of ct state.
func (m *machine) ctState() (State, bool) {
	switch {
	case m.early, m.st.untracked == maybe:
		return 0, false
	case m.st.untracked == yes:
		return Untracked, true
	}
	return m.state, true
}
