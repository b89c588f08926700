// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"bytes"
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
	b := m.register.slice(c.at, len(c.value))
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
	t := m.register.slice(r.at, len(r.from)).within(r.from, r.to)
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
	out := m.register.slice(b.from, len(b.mask))
	for i, mask := range b.mask {
		out.known[i] |= ^mask
		out.value[i] = (out.value[i]&mask ^ b.xor[i]) & out.known[i]
	}
	m.store(b.to, out)
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
	b := m.register.slice(s.at, 4)
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

// A lookup searches a set for what is in registers.
type lookup struct {
	at      int
	name    string
	set     *set // nil: it is a named set, which is not read
	not     bool
	verdict bool // it is a map of verdicts
	to      int  // the register for what the map has; -1: none
}

func decodeLookup(f *fields, sets func(string) *set) step {
	l := lookup{at: f.register(unix.NFTA_LOOKUP_SREG), name: f.text(unix.NFTA_LOOKUP_SET), to: -1}
	l.not = f.number(unix.NFTA_LOOKUP_FLAGS)&1 != 0
	f.take(unix.NFTA_LOOKUP_SET_ID)
	if d, has := f.take(unix.NFTA_LOOKUP_DREG); has {
		if l.verdict = bytes.Equal(d, []byte{0, 0, 0, 0}); !l.verdict && len(d) == 4 {
			if l.to = registerOffset(binary.BigEndian.Uint32(d)); l.to < 0 {
				return nil
			}
		}
	}
	if !inRegisters(l.at, 1) {
		return nil
	}
	l.set = sets(l.name)
	return l
}

func (l lookup) run(m *machine) tri {
	switch {
	case l.set == nil || l.set.unread:
		if l.verdict {
			m.verdicts = append(m.verdicts, verdict{kind: vMap})
		}
		m.forget(l.to)
		return m.doubt("it depends on the set @" + l.name)
	case l.verdict:
		return l.runVerdicts(m)
	}
	m.forget(l.to)
	found := no
	for _, t := range l.set.matches(m.register, l.at) {
		found = max(found, t)
	}
	if l.not {
		found = found.not()
	}
	return m.unsure(found)
}

// forget makes a register unknown.
func (m *machine) forget(at int) {
	if at >= 0 {
		m.store(at, unknownBits(registerBytes-at))
	}
}

// runVerdicts adds the verdict of each element that the key may be.
func (l lookup) runVerdicts(m *machine) tri {
	found := no
	for i, t := range l.set.matches(m.register, l.at) {
		if t == no {
			continue
		}
		m.verdicts = append(m.verdicts, l.set.elements[i].verdict)
		found = max(found, t)
	}
	return m.unsure(found)
}

// matches returns for each element whether the key is that. Of a set of intervals each
// element that begins one stands for it.
func (s *set) matches(register bits, at int) []tri {
	all := make([]tri, len(s.elements))
	for i, e := range s.elements {
		if at+len(e.key) > registerBytes {
			all[i] = maybe
			continue
		}
		key := register.slice(at, len(e.key))
		switch {
		case e.ends:
		case e.end != nil:
			all[i] = key.equals(e.key)
			if !bytes.Equal(e.key, e.end) {
				all[i] = maybe
			}
		case s.interval:
			all[i] = e.contains(key)
		default:
			all[i] = key.equals(e.key)
		}
	}
	return all
}

// sorted orders the elements of a set of intervals. An interval ends at the next element,
// which is its end, or the begin of another one.
func (s *set) sorted() {
	slices.SortStableFunc(s.elements, func(a, b element) int { return bytes.Compare(a.key, b.key) })
	for i := range s.elements {
		for _, after := range s.elements[i+1:] {
			if !bytes.Equal(after.key, s.elements[i].key) {
				s.elements[i].next = after.key
				break
			}
		}
	}
}

func (e element) contains(key bits) tri {
	t := key.within(e.key, nil)
	if len(e.next) == len(e.key) {
		t = t.and(key.within(e.next, nil).not())
	}
	return t
}
