// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// readLegacy reads all tables of iptables-legacy, of both families. It runs in the
// namespace. The kernel creates a table that is asked for, so only those that exist are.
func (r *Ruleset) readLegacy() error {
	for _, six := range []bool{false, true} {
		names, err := legacyTables(six)
		if err != nil {
			return err
		}
		for _, name := range names {
			table, err := readLegacyTable(six, name)
			switch {
			case errors.Is(err, ErrLargeTable):
				r.Unread = append(r.Unread, Unread{Legacy: true, Family: legacyFamily(six), Table: name, Reason: "it is too large"})
			case err != nil:
				return err
			default:
				r.Legacy = append(r.Legacy, table)
			}
		}
	}
	return nil
}

func legacyFamily(six bool) uint8 {
	if six {
		return unix.NFPROTO_IPV6
	}
	return unix.NFPROTO_IPV4
}

// legacyTables returns the names of the tables that exist; only root can read them.
func legacyTables(six bool) ([]string, error) {
	path := "/proc/thread-self/net/ip_tables_names"
	if six {
		path = "/proc/thread-self/net/ip6_tables_names"
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // the kernel has no iptables-legacy, or it was never used
	}
	return strings.Fields(string(text)), err
}

func readLegacyTable(six bool, name string) (LegacyTable, error) {
	domain, level := unix.AF_INET, unix.IPPROTO_IP
	if six {
		domain, level = unix.AF_INET6, unix.IPPROTO_IPV6
	}
	socket, err := unix.Socket(domain, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return LegacyTable{}, fmt.Errorf("open socket: %w", err)
	}
	defer unix.Close(socket)
	info, entries, err := legacyEntries(socket, level, name, LegacyRulesetLimit)
	if err != nil {
		return LegacyTable{}, err
	}
	t := LegacyTable{Six: six, Name: name, Entries: entries}
	number := func(at int) uint32 { return binary.NativeEndian.Uint32(info[tableName+4*at:]) }
	t.ValidHooks = number(0)
	for hook := range t.Entry {
		t.Entry[hook], t.Underflow[hook] = number(1+hook), number(6+hook)
	}
	return t, nil
}
