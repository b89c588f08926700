// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// A load puts something of the packet into registers.
type load struct {
	what string // as nft writes it
	at   int    // offset of the register
	n    int    // bytes
	read func(*machine) bits
}

func (l load) run(m *machine) tri {
	m.store(l.at, l.read(m))
	return yes
}

// store puts bytes into registers; the rest of the last word is zero.
func (m *machine) store(at int, b bits) {
	n := copy(m.register.value[at:], b.value)
	copy(m.register.known[at:], b.known)
	for ; n%4 != 0 && at+n < registerBytes; n++ {
		m.register.value[at+n], m.register.known[at+n] = 0, 0xff
	}
}

func native32(v uint32) []byte { return binary.NativeEndian.AppendUint32(nil, v) }

func decodeMeta(f *fields) step {
	key := f.number(unix.NFTA_META_KEY)
	if f.has(unix.NFTA_META_SREG) {
		at := f.register(unix.NFTA_META_SREG)
		switch {
		case !inRegisters(at, 4):
			return nil
		case key == unix.NFT_META_MARK:
			return setMark{at}
		case key == unix.NFT_META_PRIORITY, key == unix.NFT_META_NFTRACE, key == unix.NFT_META_SECMARK:
			return remark{"meta set"}
		}
		return nil
	}
	l := load{at: f.register(unix.NFTA_META_DREG), n: 4, read: func(*machine) bits { return unknownBits(16) }}
	switch key {
	case unix.NFT_META_MARK:
		l.what, l.read = "meta mark", func(m *machine) bits { return bits{native32(m.st.mark.value), native32(m.st.mark.known)} }
	case unix.NFT_META_NFPROTO:
		l.what, l.n, l.read = "meta nfproto", 1, func(m *machine) bits { return knownBits(nfproto(m.packet.Six)) }
	case unix.NFT_META_PROTOCOL:
		l.what, l.n, l.read = "meta protocol", 2, func(m *machine) bits {
			if m.packet.Six {
				return knownBits(0x86, 0xdd)
			}
			return knownBits(0x08, 0x00)
		}
	case unix.NFT_META_L4PROTO:
		l.what, l.n, l.read = "meta l4proto", 1, func(m *machine) bits {
			if m.packet.Protocol == 0 || m.st.altered {
				return unknownBits(1)
			}
			return knownBits(m.packet.Protocol)
		}
	case unix.NFT_META_IIFNAME:
		l.what, l.n, l.read = "iifname", 16, func(m *machine) bits { return m.interfaceOf(m.in, interfaceBits, 16) }
	case unix.NFT_META_OIFNAME:
		l.what, l.n, l.read = "oifname", 16, func(m *machine) bits { return m.interfaceOf(m.out, interfaceBits, 16) }
	case unix.NFT_META_IIF:
		l.what, l.read = "iif", func(m *machine) bits { return m.interfaceOf(m.in, indexBits, 4) }
	case unix.NFT_META_OIF:
		l.what, l.read = "oif", func(m *machine) bits { return m.interfaceOf(m.out, indexBits, 4) }
	default:
		l.what, l.n = metaName(key), 16
	}
	if !inRegisters(l.at, 1) {
		return nil
	}
	l.n = min(l.n, registerBytes-l.at)
	return l
}

func metaName(key uint32) string {
	names := map[uint32]string{unix.NFT_META_LEN: "meta length", unix.NFT_META_PKTTYPE: "meta pkttype", unix.NFT_META_SKUID: "meta skuid",
		unix.NFT_META_CGROUP: "meta cgroup", unix.NFT_META_IIFGROUP: "iifgroup", unix.NFT_META_OIFGROUP: "oifgroup", unix.NFT_META_IIFTYPE: "iiftype", unix.NFT_META_OIFTYPE: "oiftype"}
	if name := names[key]; name != "" {
		return name
	}
	return "meta"
}

func nfproto(six bool) byte {
	if six {
		return unix.NFPROTO_IPV6
	}
	return unix.NFPROTO_IPV4
}

// interfaceOf returns what is known of an interface; nothing of one that the hook has not.
func (m *machine) interfaceOf(of func() (Interface, bool), read func(Interface) bits, n int) bits {
	i, has := of()
	if !has {
		return unknownBits(n)
	}
	return read(i)
}

func decodePayload(f *fields) step {
	if f.has(unix.NFTA_PAYLOAD_SREG) {
		return nil
	}
	at, base := f.register(unix.NFTA_PAYLOAD_DREG), f.number(unix.NFTA_PAYLOAD_BASE)
	offset, n := int(f.number(unix.NFTA_PAYLOAD_OFFSET)), int(f.number(unix.NFTA_PAYLOAD_LEN))
	if !inRegisters(at, n) || offset < 0 {
		return nil
	}
	l := load{at: at, n: n, what: payloadName(base, offset, n)}
	l.read = func(m *machine) bits {
		switch base {
		case unix.NFT_PAYLOAD_NETWORK_HEADER:
			return m.field(m.network, offset, n)
		case unix.NFT_PAYLOAD_TRANSPORT_HEADER:
			return m.field(m.transport, offset, n)
		}
		return unknownBits(n)
	}
	return l
}

func decodeCT(f *fields) step {
	key := f.number(unix.NFTA_CT_KEY)
	if f.has(unix.NFTA_CT_SREG) {
		if key != unix.NFT_CT_MARK && key != unix.NFT_CT_LABELS && key != unix.NFT_CT_EVENTMASK {
			return nil
		}
		f.ignore()
		return remark{"ct set"}
	}
	at := f.register(unix.NFTA_CT_DREG)
	if !inRegisters(at, 4) {
		return nil
	}
	f.take(unix.NFTA_CT_DIRECTION)
	l := load{at: at, n: registerBytes - at, what: "ct", read: func(*machine) bits { return unknownBits(registerBytes - at) }}
	switch key {
	case unix.NFT_CT_STATE:
		l.what, l.n, l.read = "ct state", 4, func(m *machine) bits {
			state, known := m.ctState()
			if !known {
				return unknownBits(4)
			}
			return knownBits(native32(uint32(state))...)
		}
	case unix.NFT_CT_STATUS:
		l.what, l.n, l.read = "ct status", 4, func(m *machine) bits { return bits{native32(m.status()), native32(m.statusKnown())} }
	case unix.NFT_CT_MARK:
		l.what, l.n = "ct mark", 4
	case unix.NFT_CT_DIRECTION:
		l.what, l.n = "ct direction", 4
	}
	return l
}

// statusDNAT is IPS_DST_NAT.
const statusDNAT = 1 << 5

// status returns what is known of ct status: whether the destination was changed.
func (m *machine) status() uint32 {
	if m.st.translate == yes && m.statusKnown() != 0 {
		return statusDNAT
	}
	return 0
}

func (m *machine) statusKnown() uint32 {
	if m.early || m.st.untracked != no || m.st.translate == maybe {
		return 0
	}
	return statusDNAT
}

func decodeFIB(f *fields) step {
	at, result, flags := f.register(unix.NFTA_FIB_DREG), f.number(unix.NFTA_FIB_RESULT), f.number(unix.NFTA_FIB_FLAGS)
	if !inRegisters(at, 4) {
		return nil
	}
	l := load{at: at, n: 16, what: "fib", read: func(*machine) bits { return unknownBits(16) }}
	source := flags == unix.NFTA_FIB_F_SADDR
	if result == unix.NFT_FIB_RESULT_ADDRTYPE && (source || flags == unix.NFTA_FIB_F_DADDR) {
		l.n, l.what = 4, "fib daddr type"
		if source {
			l.what = "fib saddr type"
		}
		l.read = func(m *machine) bits {
			kind, known := m.addressType(source)
			if !known {
				return unknownBits(4)
			}
			return knownBits(native32(uint32(kind))...)
		}
	}
	l.n = min(l.n, registerBytes-at)
	return l
}
