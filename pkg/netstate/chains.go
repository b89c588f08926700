// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"unsafe"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Chains is the part of a View that finds chains of rules by name. Errors
// are those of View; a kernel without the table, or without the ruleset, has no chain.
type Chains interface {
	// NFTChain reports whether nf_tables has a chain. iptables-nft has its chains
	// there, too. It is one request and one answer, however many rules there are.
	NFTChain(Chain) (bool, error)
	// LegacyChain reports whether iptables-legacy has a chain. The kernel has no request
	// for one chain, so the cost grows with the table. The error wraps ErrLargeTable if
	// the table is larger than LegacyTableLimit.
	LegacyChain(Chain) (bool, error)
}

// A Chain is the place and the name of a chain.
type Chain struct {
	Six   bool   // the family: ip6, else ip
	Table string // "nat"
	Name  string // "KUBE-SERVICES"
}

// LegacyTableLimit is the size in bytes up to which LegacyChain reads a table: some
// 20,000 rules.
const LegacyTableLimit = 4 << 20

// ErrLargeTable means that a table of iptables-legacy is too large to be read.
var ErrLargeTable = errors.New("the table is too large to be read")

// NFTChain implements View.
func (l *Live) NFTChain(c Chain) (bool, error) {
	netfilter, err := l.openNetfilter()
	if err == nil {
		defer netfilter.close()
		err = netfilter.request(chainQuestion(c), 0, l.patience(), func([]byte) {})
	}
	if isAbsent(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look up chain %s of nf_tables: %w", c.Name, err)
	}
	return true, nil
}

// chainQuestion asks for one chain.
func chainQuestion(c Chain) question {
	family := uint8(unix.NFPROTO_IPV4)
	if c.Six {
		family = unix.NFPROTO_IPV6
	}
	return question{kind: unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_GETCHAIN, parts: []nl.NetlinkRequestData{
		&nl.Nfgenmsg{NfgenFamily: family, Version: nl.NFNETLINK_V0},
		nl.NewRtAttr(unix.NFTA_CHAIN_TABLE, nl.ZeroTerminated(c.Table)),
		nl.NewRtAttr(unix.NFTA_CHAIN_NAME, nl.ZeroTerminated(c.Name)),
	}}
}

// What linux/netfilter_ipv4/ip_tables.h and ip6_tables.h have: the socket options,
// and where in an entry the offsets of its target and of the next entry are.
const (
	getInfo    = 64 // IPT_SO_GET_INFO, IP6T_SO_GET_INFO
	getEntries = 65 // IPT_SO_GET_ENTRIES, IP6T_SO_GET_ENTRIES
	tableName  = 32 // XT_TABLE_MAXNAMELEN
	infoSize   = tableName + 13*4
	headSize   = tableName + 8 // of struct ipt_get_entries, up to the first entry
)

// LegacyChain implements View. The kernel creates a table that is asked for, and loads
// its module, so the names of the existing tables are read first. Only root can read
// them.
func (l *Live) LegacyChain(c Chain) (found bool, err error) {
	err = l.enter(func() (err error) {
		found, err = legacyChain(c)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("look up chain %s of iptables-legacy: %w", c.Name, err)
	}
	return found, nil
}

func legacyChain(c Chain) (bool, error) {
	domain, level := unix.AF_INET, unix.IPPROTO_IP
	if c.Six {
		domain, level = unix.AF_INET6, unix.IPPROTO_IPV6
	}
	tables, err := legacyTables(c.Six)
	if err != nil || !slices.Contains(tables, c.Table) {
		return false, err
	}
	socket, err := unix.Socket(domain, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false, fmt.Errorf("open socket: %w", err)
	}
	defer unix.Close(socket)
	_, entries, err := legacyEntries(socket, level, c.Table, LegacyTableLimit)
	return hasLegacyChain(entries, c.Six, c.Name), err
}

// legacyEntries reads a table: struct ipt_getinfo, and the entries. It may change between
// the two questions, for which the kernel answers EAGAIN.
func legacyEntries(socket, level int, table string, limit uint32) (info, entries []byte, err error) {
	const attempts = 5
	for i := 1; ; i++ {
		info = make([]byte, infoSize)
		copy(info[:tableName-1], table)
		if err := getsockopt(socket, level, getInfo, info); err != nil {
			return nil, nil, fmt.Errorf("get size of table %s: %w", table, err)
		}
		size := binary.NativeEndian.Uint32(info[infoSize-4:])
		if size > limit {
			return nil, nil, fmt.Errorf("table %s has %d bytes: %w", table, size, ErrLargeTable)
		}
		answer := make([]byte, headSize+int(size))
		copy(answer[:tableName-1], table)
		binary.NativeEndian.PutUint32(answer[tableName:], size)
		err := getsockopt(socket, level, getEntries, answer)
		if errors.Is(err, unix.EAGAIN) && i < attempts {
			continue
		}
		if err != nil {
			return nil, nil, fmt.Errorf("get entries of table %s: %w", table, err)
		}
		return info, answer[headSize:], nil
	}
}

// getsockopt fills the buffer, which also says what is asked. The library has it only
// for answers of a fixed type.
func getsockopt(socket, level, option int, buffer []byte) error {
	size := uint32(len(buffer))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(socket), uintptr(level), uintptr(option),
		uintptr(unsafe.Pointer(unsafe.SliceData(buffer))), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// hasLegacyChain walks over the entries of a table. A chain of the user begins with
// an entry whose target is ERROR and has the name of the chain.
func hasLegacyChain(entries []byte, six bool, name string) bool {
	offsets := 88 // of target_offset and next_offset in struct ipt_entry
	if six {
		offsets = 140 // in struct ip6t_entry
	}
	for len(entries) >= offsets+4 {
		target := int(binary.NativeEndian.Uint16(entries[offsets:]))
		next := int(binary.NativeEndian.Uint16(entries[offsets+2:]))
		if next < offsets+4 || next > len(entries) || target > next {
			return false
		}
		if chainName(entries[target:next]) == name {
			return true
		}
		entries = entries[next:]
	}
	return false
}

// chainName returns the name in a target that begins a chain, and "" in another one. A
// target is its size, in 2 bytes, its name, in 29 bytes, its revision, and its data.
func chainName(target []byte) string {
	const begin, end = 2, 31
	if len(target) <= end+1 || !bytes.Equal(bytes.TrimRight(target[begin:end], "\x00"), []byte("ERROR")) {
		return ""
	}
	return unix.ByteSliceToString(target[end+1:])
}
