// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// Names of the backends.
const (
	backendNFT         = "nf_tables"
	backendIPTablesNFT = "iptables-nft"
	backendLegacy      = "iptables-legacy"
)

// A tableKey identifies a table of nf_tables.
type tableKey struct {
	family uint8
	name   string
}

// decodeNFT makes tables of the chains of nf_tables that see packets of IP at a hook.
func (r *Rules) decodeNFT(source *netstate.Ruleset) []*table {
	byKey := map[tableKey]*table{}
	var tables []*table
	sets := setsOf(source)
	for i := range source.Chains {
		c := &source.Chains[i]
		if c.Base && len(c.Rules) > 0 && r.seesElsewhere(c) {
			continue
		}
		key := tableKey{c.Family, c.Table}
		t := byKey[key]
		if t == nil {
			t = newNFTTable(key)
			byKey[key] = t
			tables = append(tables, t)
		}
		t.add(c, sets[key])
	}
	for _, t := range tables {
		t.iptables = isIPTables(t)
		if t.iptables {
			t.backend = backendIPTablesNFT
		}
	}
	return tables
}

func newNFTTable(key tableKey) *table {
	t := &table{backend: backendNFT, name: key.name, chains: map[string]*chain{}}
	switch key.family {
	case unix.NFPROTO_INET:
		t.family, t.four, t.six = "inet", true, true
	case unix.NFPROTO_IPV4:
		t.family, t.four = "ip", true
	case unix.NFPROTO_IPV6:
		t.family, t.six = "ip6", true
	default: // arp, bridge and netdev see no packet at a hook of IP
		t.family = fmt.Sprintf("family %d", key.family)
	}
	return t
}

// seesElsewhere reports whether a base chain sees packets before or beside the hooks of IP.
// It may drop them, so that nothing is accepted for sure.
func (r *Rules) seesElsewhere(c *netstate.NFTChain) bool {
	switch {
	case c.Family == unix.NFPROTO_NETDEV, c.Family == unix.NFPROTO_INET && c.Hook >= hookIngress:
		r.doubts = append(r.doubts, doubt{four: true, six: true, reason: fmt.Sprintf("chain %s of table %s has rules at ingress or egress of an interface, which are not judged", c.Name, c.Table)})
		return true
	case c.Family == unix.NFPROTO_BRIDGE:
		r.doubts = append(r.doubts, doubt{four: true, six: true, reason: fmt.Sprintf("chain %s of table bridge %s has rules for bridges, which are not judged", c.Name, c.Table)})
		return true
	}
	return false
}

func (t *table) add(c *netstate.NFTChain, sets map[string]*set) {
	out := &chain{table: t, name: c.Name, hook: noHook, rules: make([]rule, len(c.Rules))}
	if c.Base {
		out.hook, out.priority, out.nat, out.drops = c.Hook, c.Priority, c.Type == "nat", c.Drops
	}
	find := func(name string) *set { return sets[name] }
	for i := range c.Rules {
		from := &c.Rules[i]
		out.rules[i] = rule{handle: from.Handle, comment: from.Comment, steps: decodeExpressions(from.Expressions, find)}
	}
	t.chains[c.Name] = out
}

// setsOf decodes the anonymous sets.
func setsOf(source *netstate.Ruleset) map[tableKey]map[string]*set {
	all := map[tableKey]map[string]*set{}
	for _, s := range source.Sets {
		key := tableKey{s.Family, s.Table}
		if all[key] == nil {
			all[key] = map[string]*set{}
		}
		const interval, concat = 4, 128 // NFT_SET_INTERVAL, NFT_SET_CONCAT
		out := &set{unread: s.Unread, interval: s.Flags&interval != 0 && s.Flags&concat == 0}
		for _, b := range s.Elements {
			if !out.decodeElements(b) {
				out.unread = true
			}
		}
		if out.interval {
			out.sorted()
		}
		all[key][s.Name] = out
	}
	return all
}

// iptablesTables and iptablesChains are the names that iptables-nft gives.
func iptablesTables() []string { return []string{"raw", "mangle", "nat", "filter", "security"} }

func iptablesChains() []string {
	return []string{"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"}
}

// isIPTables reports whether a table is one of iptables-nft, by the names that this gives.
func isIPTables(t *table) bool {
	if t.family == "inet" || !slices.Contains(iptablesTables(), t.name) {
		return false
	}
	for _, c := range t.chains {
		if c.hook != noHook && !slices.Contains(iptablesChains(), c.name) {
			return false
		}
	}
	return true
}
