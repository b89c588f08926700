// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"encoding/binary"
	"slices"

	"golang.org/x/sys/unix"
)

// nftNewGen is the message type of NFT_MSG_NEWGEN: the subsystem nftables is 10, the
// message 15.
const nftNewGen = 10<<8 | 15

// loopbackIndex is the index of lo in every namespace (LOOPBACK_IFINDEX of net/flow.h).
const loopbackIndex = 1

// Where a message has what the filters read. A multicast of rtnetlink is one message.
const (
	atKind      = 4                     // nlmsg_type
	atFamily    = unix.NLMSG_HDRLEN     // the first byte of each payload
	atScope     = unix.NLMSG_HDRLEN + 3 // ifa_scope
	atIndex     = unix.NLMSG_HDRLEN + 4 // ifi_index, ifa_index
	atConfIndex = unix.NLMSG_HDRLEN + 8 // in the first attribute of netconf, NETCONFA_IFINDEX
	// oneConfValue is the length of a netconf message with an index and one value.
	oneConfValue = unix.NLMSG_HDRLEN + 4 + 8 + 8
)

// urgentFilter keeps what a node cannot wait for: changes of lo, and of the sysctls that
// all interfaces or new ones have.
func urgentFilter() []unix.SockFilter {
	return program(
		kinds([]uint16{unix.RTM_NEWLINK, unix.RTM_DELLINK, unix.RTM_NEWADDR, unix.RTM_DELADDR},
			load(unix.BPF_W, atIndex), when(wire32(loopbackIndex), accept()), drop()),
		kinds([]uint16{unix.RTM_NEWNETCONF},
			load(unix.BPF_W, atConfIndex), when(wire32(ConfAll), accept()), when(wire32(ConfDefault), accept()), drop()),
		drop())
}

// otherFilter keeps all other changes that matter. Not among them are: messages of bridges
// about their ports, which have the family AF_BRIDGE and say nothing that the others do
// not; addresses of IPv6 that are valid on their link only, of which each veth has one; and
// the sysctls of an interface that is new.
func otherFilter() []unix.SockFilter {
	return program(
		kinds([]uint16{unix.RTM_NEWLINK, unix.RTM_DELLINK},
			load(unix.BPF_W, atIndex), when(wire32(loopbackIndex), drop()),
			load(unix.BPF_B, atFamily), when(unix.AF_UNSPEC, accept()), drop()),
		kinds([]uint16{unix.RTM_NEWADDR, unix.RTM_DELADDR},
			load(unix.BPF_W, atIndex), when(wire32(loopbackIndex), drop()),
			load(unix.BPF_B, atFamily), when(unix.AF_INET6, load(unix.BPF_B, atScope), when(unix.RT_SCOPE_LINK, drop())),
			accept()),
		kinds([]uint16{unix.RTM_NEWRULE, unix.RTM_DELRULE}, accept()),
		kinds([]uint16{unix.RTM_NEWNETCONF},
			load(unix.BPF_W, atConfIndex), when(wire32(ConfAll), drop()), when(wire32(ConfDefault), drop()),
			loadLength(), whenMore(oneConfValue, drop()),
			accept()),
		drop())
}

// rulesetFilter keeps the message that ends a transaction. There is one for each rule and
// set element besides.
func rulesetFilter() []unix.SockFilter {
	return program(kinds([]uint16{nftNewGen}, accept()), drop())
}

// A step is some instructions of classic BPF (Documentation/networking/filter.rst), which
// reads numbers as big-endian ones.
type step []unix.SockFilter

// program begins with the kind of the message.
func program(steps ...step) []unix.SockFilter {
	return slices.Concat(append([]step{load(unix.BPF_H, atKind)}, steps...)...)
}

// kinds takes some steps, which must end with accept or drop, if a number of 16 bits that
// was loaded is one of some.
func kinds(of []uint16, steps ...step) step {
	body := slices.Concat(steps...)
	var all step
	for i, kind := range of {
		last := i == len(of)-1
		jump := unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: wire16(kind), Jt: uint8(len(of) - 1 - i)}
		if last {
			jump.Jf = uint8(len(body))
		}
		all = append(all, jump)
	}
	return append(all, body...)
}

// when takes some steps if what was loaded is k.
func when(k uint32, steps ...step) step {
	body := slices.Concat(steps...)
	return append(step{{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: k, Jf: uint8(len(body))}}, body...)
}

// whenMore takes some steps if what was loaded is more than k.
func whenMore(k uint32, steps ...step) step {
	body := slices.Concat(steps...)
	return append(step{{Code: unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K, K: k, Jf: uint8(len(body))}}, body...)
}

// load loads a number; a message that ends before it is dropped.
func load(size uint16, at uint32) step {
	return step{{Code: unix.BPF_LD | unix.BPF_ABS | size, K: at}}
}

func loadLength() step { return step{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_LEN}} }
func accept() step     { return step{{Code: unix.BPF_RET | unix.BPF_K, K: 0xffffffff}} }
func drop() step       { return step{{Code: unix.BPF_RET | unix.BPF_K}} }

// wire16 and wire32 return a number of this machine as BPF loads it.
func wire16(v uint16) uint32 {
	return uint32(binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, v)))
}

func wire32(v int32) uint32 {
	return binary.BigEndian.Uint32(binary.NativeEndian.AppendUint32(nil, uint32(v)))
}
