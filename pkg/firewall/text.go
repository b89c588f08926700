// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"fmt"
	"slices"
	"strings"
)

// decodeText makes tables of netstate.Ruleset.Text. A line that is not understood makes
// verdicts of its family CannotTell.
func (r *Rules) decodeText(text string) []*table {
	p := &textParser{rules: r, current: map[string]*table{}}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		program, rest, _ := strings.Cut(line, " ")
		rest = strings.TrimSpace(rest)
		if line == "" || rest == "" || rest[0] == '#' {
			continue
		}
		var ok bool
		switch program {
		case "nft":
			ok = p.nftLine(rest)
		case "iptables", "ip6tables", "iptables-legacy", "ip6tables-legacy":
			ok = p.iptablesLine(program, rest)
		}
		if !ok {
			r.doubts = append(r.doubts, doubt{four: true, six: true, reason: fmt.Sprintf("the line %q cannot be read", line)})
		}
	}
	return p.tables
}

// A textParser reads lines for nft -f and iptables-restore.
type textParser struct {
	rules   *Rules
	tables  []*table
	current map[string]*table // of each program of iptables
	table   *table            // of nft
	chain   *chain            // of nft
}

// iptablesLine reads a line of iptables-save.
func (p *textParser) iptablesLine(program, line string) bool {
	six := strings.HasPrefix(program, "ip6")
	t := p.current[program]
	words := splitWords(line)
	switch {
	case line[0] == '*':
		t = &table{backend: backendIPTablesNFT, family: "ip", name: line[1:], four: !six, six: six, chains: map[string]*chain{}, iptables: true}
		if six {
			t.family = "ip6"
		}
		if strings.HasSuffix(program, "legacy") {
			t.backend = backendLegacy
		}
		p.current[program], p.tables = t, append(p.tables, t)
		return true
	case line == "COMMIT":
		return true
	case t == nil:
		return false
	case line[0] == ':' && len(words) >= 2:
		c := &chain{table: t, name: words[0][1:], hook: noHook, drops: words[1] == "DROP", nat: t.name == "nat"}
		for hook, name := range iptablesChains() {
			if name == c.name {
				c.hook, c.priority = uint32(hook), legacyPriority(t.name, hook)
			}
		}
		t.chains[c.name] = c
		return true
	case words[0] == "-A" && len(words) >= 2 && t.chains[words[1]] != nil:
		c := t.chains[words[1]]
		steps := iptablesSteps(words[2:], six)
		c.rules = append(c.rules, rule{steps: slices.Values(steps)})
		return true
	}
	return false
}

// splitWords splits a line at spaces that are not in quotation marks.
func splitWords(line string) []string {
	var words []string
	var word strings.Builder
	quoted, any := false, false
	for _, c := range line {
		switch {
		case c == '"':
			quoted, any = !quoted, true
		case c == ' ' && !quoted:
			if any || word.Len() > 0 {
				words = append(words, word.String())
			}
			word.Reset()
			any = false
		default:
			word.WriteRune(c)
		}
	}
	if any || word.Len() > 0 {
		words = append(words, word.String())
	}
	return words
}

// nftLine reads a line for nft -f. A table and a chain have a line for their heads, one for
// each rule, and one for the brace at the end.
func (p *textParser) nftLine(line string) bool {
	words := splitWords(strings.ReplaceAll(line, ";", " ; "))
	switch {
	case words[0] == "table" && len(words) == 4 && words[3] == "{":
		p.table = newNFTTable(tableKey{map[string]uint8{"inet": 1, "ip": 2, "ip6": 10}[words[1]], words[2]})
		p.tables = append(p.tables, p.table)
	case p.table == nil:
		return false
	case words[0] == "chain" && len(words) == 3 && words[2] == "{":
		p.chain = &chain{table: p.table, name: words[1], hook: noHook}
		p.table.chains[words[1]] = p.chain
	case words[0] == "}" && p.chain != nil:
		p.chain = nil
	case words[0] == "}":
		p.table.iptables = isIPTables(p.table)
		if p.table.iptables {
			p.table.backend = backendIPTablesNFT
		}
		p.table = nil
	case p.chain == nil:
		return false
	case words[0] == "type":
		return p.nftHook(words)
	default:
		steps := nftSteps(words)
		p.chain.rules = append(p.chain.rules, rule{steps: slices.Values(steps)})
	}
	return true
}

// nftHook reads "type filter hook input priority 0 ; policy drop ;".
func (p *textParser) nftHook(words []string) bool {
	c := p.chain
	for i := 0; i+1 < len(words); i++ {
		switch words[i] {
		case "type":
			c.nat = words[i+1] == "nat"
		case "hook":
			hook, ok := map[string]uint32{"prerouting": hookPrerouting, "input": hookInput, "forward": hookForward, "output": hookOutput, "postrouting": hookPostrouting}[words[i+1]]
			if !ok {
				return false
			}
			c.hook = hook
		case "priority":
			if _, err := fmt.Sscan(words[i+1], &c.priority); err != nil {
				return false
			}
		case "policy":
			c.drops = words[i+1] == "drop"
		}
	}
	return c.hook != noHook
}
