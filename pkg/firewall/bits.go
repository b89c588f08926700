// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"bytes"
	"net/netip"
)

// A tri is an answer that may be unknown.
type tri int8

const (
	no tri = iota
	maybe
	yes
)

func (t tri) not() tri { return yes - t }

// and is yes if both are.
func (t tri) and(other tri) tri { return min(t, other) }

func certain(b bool) tri {
	if b {
		return yes
	}
	return no
}

// A bits is a string of bytes of which some bits are known. Both slices have the same
// length; a bit that is 0 in known is 0 in value.
type bits struct{ value, known []byte }

func knownBits(value ...byte) bits {
	return bits{value, bytes.Repeat([]byte{0xff}, len(value))}
}

func unknownBits(n int) bits {
	both := make([]byte, 2*n)
	return bits{both[:n:n], both[n:]}
}

// equals compares with bytes of the same length.
func (b bits) equals(to []byte) tri {
	all := yes
	for i, v := range to {
		if (b.value[i]^v)&b.known[i] != 0 {
			return no
		}
		if b.known[i] != 0xff {
			all = maybe
		}
	}
	return all
}

// masked compares the bits of mask with those of value.
func (b bits) masked(value, mask []byte) tri {
	all := yes
	for i, bit := range mask {
		if (b.value[i]^value[i])&bit&b.known[i] != 0 {
			return no
		}
		if bit&^b.known[i] != 0 {
			all = maybe
		}
	}
	return all
}

// least and most are the extremes of what the bytes may be.
func (b bits) least() []byte { return b.value }

func (b bits) most() []byte {
	most := make([]byte, len(b.value))
	for i, v := range b.value {
		most[i] = v | ^b.known[i]
	}
	return most
}

// within reports whether the bytes lie from low to high, both included, as memcmp orders
// them; nil is no bound.
func (b bits) within(low, high []byte) tri {
	least, most := b.least(), b.most()
	above := func(x []byte) bool { return low == nil || bytes.Compare(x, low) >= 0 }
	below := func(x []byte) bool { return high == nil || bytes.Compare(x, high) <= 0 }
	switch {
	case !above(most), !below(least):
		return no
	case above(least) && below(most):
		return yes
	}
	return maybe
}

// A mark is a packet mark of which some bits are known.
type mark struct{ value, known uint32 }

// set is mark = (mark & keep) ^ flip.
func (m mark) set(keep, flip uint32) mark {
	return mark{value: (m.value & keep & m.known) ^ (flip & (m.known | ^keep)), known: m.known | ^keep}
}

// or is what is known of either of two.
func (m mark) or(other mark) mark {
	known := m.known & other.known &^ (m.value ^ other.value)
	return mark{m.value & known, known}
}

// equals compares the bits of mask.
func (m mark) equals(value, mask uint32) tri {
	switch {
	case (m.value^value)&mask&m.known != 0 || value&^mask != 0:
		return no
	case mask&^m.known != 0:
		return maybe
	}
	return yes
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
