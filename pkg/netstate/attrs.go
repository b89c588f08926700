// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"encoding/binary"
	"iter"
	"net/netip"

	"golang.org/x/sys/unix"
)

// attributes walks over the attributes of a netlink message, without a copy, and
// ends at the first that is cut short. The library's parser makes a slice for
// each message; with thousands of routes that is most of the work.
func attributes(b []byte) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		for len(b) >= unix.SizeofRtAttr {
			size := int(binary.NativeEndian.Uint16(b))
			if size < unix.SizeofRtAttr || size > len(b) {
				return
			}
			kind := binary.NativeEndian.Uint16(b[2:]) &^ (unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)
			if !yield(kind, b[unix.SizeofRtAttr:size]) {
				return
			}
			b = b[min(aligned(size), len(b)):]
		}
	}
}

// aligned is NLA_ALIGN.
func aligned(size int) int { return (size + unix.NLA_ALIGNTO - 1) &^ (unix.NLA_ALIGNTO - 1) }

// attrAddr gives the address of an attribute; the zero Addr where it is none, or
// is 0.0.0.0 or ::, by which the kernel says that there is none.
func attrAddr(b []byte) netip.Addr {
	addr, _ := netip.AddrFromSlice(b)
	if addr.IsUnspecified() {
		return netip.Addr{}
	}
	return addr
}

// number32 and port give 0 where the attribute is too short.
func number32(b []byte) uint32 {
	if len(b) < 4 {
		return 0
	}
	return binary.NativeEndian.Uint32(b)
}

func port(b []byte) uint16 {
	if len(b) < 2 {
		return 0
	}
	return binary.BigEndian.Uint16(b)
}
