// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"encoding/binary"
	"slices"

	"golang.org/x/sys/unix"
)

// A cmp compares registers with a value.
type cmpStep struct {
	at    int
	op    uint32
	value []byte
}

func decodeCmp(f *fields) step {
	c := cmpStep{f.register(unix.NFTA_CMP_SREG), f.number(unix.NFTA_CMP_OP), f.data(unix.NFTA_CMP_DATA)}
	if !inRegisters(c.at, len(c.value)) || c.op > unix.NFT_CMP_GTE {
		return nil
	}
	return c
}

func (c cmpStep) run(m *machine) tri {
	b := m.register.view(c.at, len(c.value))
	var t tri
	switch c.op {
	case unix.NFT_CMP_EQ:
		t = b.equals(c.value)
	case unix.NFT_CMP_NEQ:
		t = b.equals(c.value).not()
	case unix.NFT_CMP_LTE:
		t = b.within(nil, c.value)
	case unix.NFT_CMP_GT:
		t = b.within(nil, c.value).not()
	case unix.NFT_CMP_GTE:
		t = b.within(c.value, nil)
	default:
		t = b.within(c.value, nil).not()
	}
	return m.unsure(t)
}

// unsure leaves the reason for a doubt to the quoter.
func (m *machine) unsure(t tri) tri {
	if t == maybe {
		return m.doubt("what it compares is not known")
	}
	return t
}

// A rangeStep compares registers with a range.
type rangeStep struct {
	at       int
	not      bool
	from, to []byte
}

func decodeRange(f *fields) step {
	r := rangeStep{at: f.register(unix.NFTA_RANGE_SREG), from: f.data(unix.NFTA_RANGE_FROM_DATA), to: f.data(unix.NFTA_RANGE_TO_DATA)}
	r.not = f.number(unix.NFTA_RANGE_OP) == 1
	if !inRegisters(r.at, len(r.from)) || len(r.from) != len(r.to) {
		return nil
	}
	return r
}

func (r rangeStep) run(m *machine) tri {
	t := m.register.view(r.at, len(r.from)).within(r.from, r.to)
	if r.not {
		t = t.not()
	}
	return m.unsure(t)
}

// A bitwise is register = (register & mask) ^ xor.
type bitwise struct {
	from, to  int
	mask, xor []byte
}

func decodeBitwise(f *fields) step {
	const op, data = 6, 7 // NFTA_BITWISE_OP, NFTA_BITWISE_DATA
	b := bitwise{from: f.register(unix.NFTA_BITWISE_SREG), to: f.register(unix.NFTA_BITWISE_DREG)}
	n := int(f.number(unix.NFTA_BITWISE_LEN))
	if !inRegisters(b.from, n) || !inRegisters(b.to, n) {
		return nil
	}
	if f.number(op) != 0 { // shifts, and operations with another register
		f.ignore()
		at := b.to
		return load{what: "bitwise", at: at, n: n, read: func(*machine) bits { return unknownBits(n) }}
	}
	f.take(data)
	b.mask, b.xor = f.data(unix.NFTA_BITWISE_MASK), f.data(unix.NFTA_BITWISE_XOR)
	if len(b.mask) != n || len(b.xor) != n {
		return nil
	}
	return b
}

func (b bitwise) run(m *machine) tri {
	from := m.register.view(b.from, len(b.mask))
	var value, known [registerBytes]byte
	for i, mask := range b.mask {
		known[i] = from.known[i] | ^mask
		value[i] = (from.value[i]&mask ^ b.xor[i]) & known[i]
	}
	m.store(b.to, bits{value[:len(b.mask)], known[:len(b.mask)]})
	return yes
}

// A byteorder swaps the bytes of numbers.
type byteorder struct{ from, to, n, size int }

func decodeByteorder(f *fields) step {
	b := byteorder{f.register(unix.NFTA_BYTEORDER_SREG), f.register(unix.NFTA_BYTEORDER_DREG), int(f.number(unix.NFTA_BYTEORDER_LEN)), int(f.number(unix.NFTA_BYTEORDER_SIZE))}
	f.take(unix.NFTA_BYTEORDER_OP)
	if !inRegisters(b.from, b.n) || !inRegisters(b.to, b.n) || !slices.Contains([]int{2, 4, 8}, b.size) || b.n%b.size != 0 {
		return nil
	}
	return b
}

func (b byteorder) run(m *machine) tri {
	out := m.register.slice(b.from, b.n)
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
		for i := 0; i < b.n; i += b.size {
			slices.Reverse(out.value[i : i+b.size])
			slices.Reverse(out.known[i : i+b.size])
		}
	}
	m.store(b.to, out)
	return yes
}

// An immediate puts a value into registers.
type immediate struct {
	at    int
	value []byte
}

func decodeImmediate(f *fields) step {
	raw := f.values[unix.NFTA_IMMEDIATE_DATA]
	if v, ok := decodeVerdict(raw); ok {
		f.take(unix.NFTA_IMMEDIATE_DATA)
		f.take(unix.NFTA_IMMEDIATE_DREG)
		return verdictStep{verdict: v}
	}
	i := immediate{f.register(unix.NFTA_IMMEDIATE_DREG), f.data(unix.NFTA_IMMEDIATE_DATA)}
	if !inRegisters(i.at, len(i.value)) {
		return nil
	}
	return i
}

func (i immediate) run(m *machine) tri {
	m.store(i.at, knownBits(i.value...))
	return yes
}

// A verdictStep ends the rule.
type verdictStep struct {
	verdict
	text string // of what translates
}

func (v verdictStep) run(m *machine) tri {
	m.verdicts = append(m.verdicts, v.verdict)
	return yes
}

// A setMark sets the mark of the packet from a register.
type setMark struct{ at int }

func (s setMark) run(m *machine) tri {
	b := m.register.view(s.at, 4)
	m.st.mark = mark{binary.NativeEndian.Uint32(b.value), binary.NativeEndian.Uint32(b.known)}
	return yes
}

// A notrack exempts a packet from connection tracking, if that has not seen it yet.
type notrack struct{}

func (notrack) run(m *machine) tri {
	if m.early {
		m.st.untracked = yes
	} else {
		m.st.untracked = maybe
	}
	return yes
}

// A remark does nothing to the packet.
type remark struct{ text string }

func (remark) run(*machine) tri { return yes }

// A doubtful is a condition that depends on what the rules do not show.
type doubtful struct{ text, match string }

func (d doubtful) run(m *machine) tri { return m.doubt("it depends on " + d.text) }

// An opaque may do anything.
type opaque struct{ what string }

func (o opaque) run(m *machine) tri {
	m.verdicts = append(m.verdicts, verdict{kind: vUnknown})
	m.register = unknownBits(registerBytes)
	m.st = state{untracked: maybe, translate: maybe, altered: true}
	return m.doubt("this program does not know " + o.what)
}
