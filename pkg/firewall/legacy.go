// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"encoding/binary"
	"fmt"
	"iter"

	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// A layout says where the parts of an entry are: struct ipt_entry and ip6t_entry
// (linux/netfilter_ipv4/ip_tables.h).
type layout struct {
	addr               int // length of an address
	in, out, inM, outM int // names of interfaces and their masks
	proto, flags, inv  int
	target, next       int // offsets of the target and of the next entry
	size               int
	gotoFlag           byte
}

func layoutOf(six bool) layout {
	if six {
		return layout{16, 64, 80, 96, 112, 128, 131, 132, 140, 142, 168, 4}
	}
	return layout{4, 16, 32, 48, 64, 80, 82, 83, 88, 90, 112, 2}
}

// legacyPriority returns the priority of a table at a hook (linux/netfilter_ipv4.h).
func legacyPriority(table string, hook int) int32 {
	switch table {
	case "raw":
		return -300
	case "mangle":
		return -150
	case "nat":
		if hook == hookPrerouting || hook == hookOutput {
			return -100
		}
		return 100
	case "security":
		return 50
	}
	return 0
}

// decodeLegacy makes tables of those of iptables-legacy.
func (r *Rules) decodeLegacy(source *netstate.Ruleset) []*table {
	var tables []*table
	for i := range source.Legacy {
		from := &source.Legacy[i]
		t, ok := decodeLegacyTable(from)
		if !ok {
			r.doubts = append(r.doubts, doubt{four: !from.Six, six: from.Six, reason: fmt.Sprintf("table %s of iptables-legacy cannot be decoded", from.Name)})
			continue
		}
		tables = append(tables, t)
	}
	return tables
}

func decodeLegacyTable(from *netstate.LegacyTable) (*table, bool) {
	l := layoutOf(from.Six)
	t := &table{backend: backendLegacy, family: "ip", name: from.Name, four: !from.Six, six: from.Six, chains: map[string]*chain{}, iptables: true}
	if from.Six {
		t.family = "ip6"
	}
	// A chain begins at a hook, or with an entry whose target is ERROR; jumps go to the
	// entry behind that.
	hooks, policies := map[int]int{}, map[int]bool{}
	for hook := range from.Entry {
		if from.ValidHooks&(1<<hook) != 0 {
			hooks[int(from.Entry[hook])] = hook
			policies[int(from.Underflow[hook])] = true
		}
	}
	names := map[int]string{}
	type pending struct {
		chain *chain
		entry []byte
		at    int
	}
	var current *chain
	var entries []pending
	for at := 0; at < len(from.Entries); {
		b := from.Entries[at:]
		if len(b) < l.size {
			return nil, false
		}
		target, next := int(binary.NativeEndian.Uint16(b[l.target:])), int(binary.NativeEndian.Uint16(b[l.next:]))
		if target < l.size || target+targetHead > next || next > len(b) {
			return nil, false
		}
		b = b[:next]
		if hook, is := hooks[at]; is {
			current = &chain{table: t, name: iptablesChains()[hook], hook: uint32(hook), priority: legacyPriority(from.Name, hook), nat: from.Name == "nat"}
			t.chains[current.name] = current
		} else if name := text(b[target+2 : target+31]); name == "ERROR" {
			current = &chain{table: t, name: text(b[target+targetHead:]), hook: noHook}
			if at+next < len(from.Entries) { // the last entry ends the table
				t.chains[current.name] = current
				names[at+next] = current.name
			}
			at += next
			continue
		}
		if current == nil {
			return nil, false
		}
		if policies[at] {
			if len(b) < target+targetHead+4 {
				return nil, false
			}
			current.drops = int32(binary.NativeEndian.Uint32(b[target+targetHead:])) == -1
			current = nil
		} else {
			entries = append(entries, pending{current, b, at})
		}
		at += next
	}
	for _, e := range entries {
		e.chain.rules = append(e.chain.rules, rule{steps: decodeEntry(e.entry, l, e.at, names)})
	}
	return t, true
}

// targetHead is the length of struct xt_entry_target before its data: size, name, revision.
const targetHead = 32

// decodeEntry decodes a rule, each part as it is asked for. Its lengths are checked already.
func decodeEntry(b []byte, l layout, at int, names map[int]string) iter.Seq[step] {
	return func(yield func(step) bool) {
		if !yield(decodeEntryHead(b, l)) {
			return
		}
		target := int(binary.NativeEndian.Uint16(b[l.target:]))
		for rest := b[l.size:target]; len(rest) > 0; {
			n := 0
			if len(rest) >= targetHead {
				n = int(binary.NativeEndian.Uint16(rest))
			}
			if n < targetHead || n > len(rest) {
				yield(opaque{"a match that is cut short"})
				return
			}
			if !yield(decodeMatch(text(rest[2:31]), uint32(rest[31]), rest[targetHead:n])) {
				return
			}
			rest = rest[n:]
		}
		yield(decodeEntryTarget(b, target, l, at, names))
	}
}

func decodeEntryTarget(b []byte, target int, l layout, at int, names map[int]string) step {
	name, data := text(b[target+2:target+31]), b[target+targetHead:]
	switch {
	case name != "":
		return decodeTarget(name, uint32(b[target+31]), data)
	case len(data) < 4:
		return opaque{"a target that is cut short"}
	}
	return standardTarget(int32(binary.NativeEndian.Uint32(data)), at+len(b), b[l.flags]&l.gotoFlag != 0, names)
}

// standardTarget is a verdict, or a jump to an offset. A jump to the next rule is a rule
// without a target.
func standardTarget(code int32, next int, isGoto bool, names map[int]string) step {
	v := verdict{kind: vJump}
	switch {
	case code == -1:
		v.kind = vDrop
	case code == -2:
		v.kind = vAccept
	case code == -5:
		v.kind = vReturn
	case code < 0:
		v.kind = vUnknown
	case int(code) == next && !isGoto:
		return remark{"no target"}
	default:
		if isGoto {
			v.kind = vGoto
		}
		name, ok := names[int(code)]
		if !ok {
			return opaque{"a jump into a chain"}
		}
		v.chain = name
	}
	return verdictStep{verdict: v}
}
