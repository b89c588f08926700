// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"encoding/json"
	"fmt"
	"math/big"
	"net/netip"
	"path"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/guard"
)

// hostLocalDir is the dataDir of host-local if the configuration names none
// (plugins/ipam/host-local/backend/disk).
const hostLocalDir = "/var/lib/cni/networks"

// A pool is a range of host-local: addresses from first to last, without the gateway.
type pool struct {
	subnet      netip.Prefix
	first, last netip.Addr
	gateway     netip.Addr
	set         int // a pod gets one address of each set
}

// wholePool returns what host-local makes of a subnet alone: all but the first address,
// and for IPv4 the last (plugins/ipam/host-local/backend/allocator).
func wholePool(subnet netip.Prefix, set int) pool {
	first := subnet.Addr().Next()
	return pool{subnet: subnet, first: first, last: lastOf(subnet), gateway: first, set: set}
}

// lastOf returns the last address that host-local assigns.
func lastOf(subnet netip.Prefix) netip.Addr {
	b := subnet.Addr().AsSlice()
	for bit := subnet.Bits(); bit < len(b)*8; bit++ {
		b[bit/8] |= 0x80 >> (bit % 8)
	}
	last, _ := netip.AddrFromSlice(b)
	if last.Is4() {
		last = last.Prev() // the broadcast address
	}
	return last
}

// size returns how many addresses the pool can give.
func (p pool) size() *big.Int {
	number := func(a netip.Addr) *big.Int { return new(big.Int).SetBytes(a.AsSlice()) }
	n := new(big.Int).Sub(number(p.last), number(p.first))
	n.Add(n, big.NewInt(1))
	if p.contains(p.gateway) {
		n.Sub(n, big.NewInt(1))
	}
	return n
}

func (p pool) contains(a netip.Addr) bool {
	return a.IsValid() && p.first.Compare(a) <= 0 && a.Compare(p.last) <= 0
}

// A rangeOfEntry is a range as an entry has it.
type rangeOfEntry struct{ Subnet, RangeStart, RangeEnd, Gateway string }

// hostLocalPools returns the pools of an entry, and the directory of its reservations; no
// pool where host-local assigns no addresses, or where the runtime adds ranges.
func hostLocalPools(p conflist.Plugin) (pools []pool, dir string, err error) {
	var e struct {
		IPAM struct {
			Type, DataDir string
			rangeOfEntry
			Ranges [][]rangeOfEntry
		}
		Capabilities struct{ IPRanges bool }
	}
	if err := json.Unmarshal(p.Raw, &e); err != nil {
		return nil, "", fmt.Errorf("read entry of %s: %w", p.Type, err)
	}
	if e.IPAM.Type != "host-local" || e.Capabilities.IPRanges {
		return nil, "", nil
	}
	sets := e.IPAM.Ranges
	if e.IPAM.Subnet != "" {
		sets = append([][]rangeOfEntry{{e.IPAM.rangeOfEntry}}, sets...)
	}
	for i, set := range sets {
		for _, r := range set {
			one, err := r.pool(i)
			if err != nil {
				return nil, "", fmt.Errorf("read ranges of %s: %w", p.Type, err)
			}
			pools = append(pools, one)
		}
	}
	return pools, orDefault(e.IPAM.DataDir, hostLocalDir), nil
}

func (r rangeOfEntry) pool(set int) (pool, error) {
	subnet, err := netip.ParsePrefix(r.Subnet)
	if err != nil {
		return pool{}, err
	}
	if subnet.Bits() > subnet.Addr().BitLen()-2 {
		return pool{}, fmt.Errorf("%s is too small", subnet)
	}
	p := wholePool(subnet.Masked(), set)
	for _, given := range []struct {
		text string
		to   *netip.Addr
	}{{r.RangeStart, &p.first}, {r.RangeEnd, &p.last}, {r.Gateway, &p.gateway}} {
		if given.text == "" {
			continue
		}
		if *given.to, err = netip.ParseAddr(given.text); err != nil {
			return pool{}, err
		}
	}
	return p, nil
}

// expectedAddress returns the IPv4 address that the bridge plugin assigns to its bridge: the
// gateway, with the length of the range. The zero Prefix where several ranges have
// different ones.
func expectedAddress(pools []pool) netip.Prefix {
	var want netip.Prefix
	for _, p := range pools {
		if !p.subnet.Addr().Is4() {
			continue
		}
		if want.IsValid() {
			return netip.Prefix{}
		}
		want = netip.PrefixFrom(p.gateway, p.subnet.Bits())
	}
	return want
}

// poolsFull returns a finding for each set whose addresses are all reserved: one file
// for each, named by the address.
func poolsFull(t *Target, dir, network string, pools []pool) ([]guard.Finding, error) {
	dir = path.Join(dir, network)
	names, err := t.host().ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("count the reservations of host-local: %w", err)
	}
	var reserved []netip.Addr
	for _, name := range names {
		if addr, err := netip.ParseAddr(name); err == nil {
			reserved = append(reserved, addr)
		}
	}
	var findings []guard.Finding
	for _, set := range setsOf(pools) {
		used, size := 0, new(big.Int)
		var ranges []string
		for _, p := range set {
			size.Add(size, p.size())
			ranges = append(ranges, p.subnet.String())
			for _, addr := range reserved {
				if p.contains(addr) && addr != p.gateway {
					used++
				}
			}
		}
		if size.Cmp(big.NewInt(int64(used))) > 0 {
			continue
		}
		findings = append(findings, guard.Finding{
			Object:  "node",
			Problem: "has no address left in " + strings.Join(ranges, ", "), Impact: "no pod starts",
			Evidence: fmt.Sprintf("all %d are reserved in %s", used, dir), Command: "guardctl release --orphans",
			Remedy: "Run guardctl release --orphans to list the addresses that deleted pods still hold. If there are none, the node runs as many pods as the range has addresses.",
		})
	}
	return findings, nil
}

// setsOf groups pools by their sets.
func setsOf(pools []pool) [][]pool {
	var sets [][]pool
	for _, p := range pools {
		at := slices.IndexFunc(sets, func(s []pool) bool { return s[0].set == p.set })
		if at < 0 {
			sets = append(sets, nil)
			at = len(sets) - 1
		}
		sets[at] = append(sets[at], p)
	}
	return sets
}
