// SPDX-License-Identifier: Apache-2.0

package firewall

import "bytes"

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
	if !zero(h.srcMask) || h.notSrc {
		also(m.field(m.network, source, len(h.src)).masked(h.src, h.srcMask), h.notSrc)
	}
	if !zero(h.dstMask) || h.notDst {
		also(m.field(m.network, destination, len(h.dst)).masked(h.dst, h.dstMask), h.notDst)
	}
	if !zero(h.inMask) || h.notIn {
		also(m.interfaceOf(m.in, interfaceBits, 16).masked(h.in, h.inMask), h.notIn)
	}
	if !zero(h.outMask) || h.notOut {
		also(m.interfaceOf(m.out, interfaceBits, 16).masked(h.out, h.outMask), h.notOut)
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
