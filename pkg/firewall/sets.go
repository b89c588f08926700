// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"bytes"
	"encoding/binary"
	"slices"

	"golang.org/x/sys/unix"
)

// A set is an anonymous set or map.
type set struct {
	unread   bool
	interval bool
	elements []element
}

type element struct {
	key, end  []byte // end is set in sets of concatenations with ranges only
	next      []byte // of a set of intervals: where the interval ends; nil: never
	ends      bool   // an interval ends before key
	verdict   verdict
	isVerdict bool
}

// decodeElements reads NFTA_SET_ELEM_LIST_ELEMENTS. It is not ok if something is not
// understood.
func (s *set) decodeElements(b []byte) (ok bool) {
	for kind, value := range attributes(b) {
		if kind != unix.NFTA_LIST_ELEM {
			return false
		}
		f := fieldsOf(value)
		e := element{key: f.data(unix.NFTA_SET_ELEM_KEY)}
		e.ends = f.number(unix.NFTA_SET_ELEM_FLAGS)&1 != 0
		if data, ok := f.take(unix.NFTA_SET_ELEM_DATA); ok {
			if e.verdict, e.isVerdict = decodeVerdict(data); !e.isVerdict {
				return false
			}
		}
		if f.has(setElemKeyEnd) {
			e.end = f.data(setElemKeyEnd)
		}
		f.take(unix.NFTA_SET_ELEM_USERDATA)
		f.take(unix.NFTA_SET_ELEM_PAD)
		if f.left() || e.key == nil {
			return false
		}
		s.elements = append(s.elements, e)
	}
	return true
}

// setElemKeyEnd is NFTA_SET_ELEM_KEY_END (Linux 5.6).
const setElemKeyEnd = 10

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
		key := register.view(at, len(e.key))
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
