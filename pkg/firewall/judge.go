// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"cmp"
	"fmt"
	"iter"
	"slices"

	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// Rules are the rules of a node, ready to judge packets. They are not changed by that, so
// that several goroutines may use them. The zero Rules accept everything.
type Rules struct {
	bases  []*chain // base chains of families of IP, in the order in which they see a packet
	owners owners
	// doubts are why some packets cannot be judged to the end: tables that were not read,
	// and chains that see packets elsewhere than at a hook of IP.
	doubts []doubt
}

// A doubt holds for the packets of a family.
type doubt struct {
	four, six bool
	reason    string
}

// A chain is a chain of either backend.
type chain struct {
	table    *table
	name     string
	hook     uint32
	priority int32
	nat      bool
	drops    bool // the policy
	rules    []rule
}

// A table is a table of either backend.
type table struct {
	backend   string
	family    string
	name      string
	four, six bool // families of packets that it sees
	chains    map[string]*chain
	iptables  bool // rules are quoted as iptables-save prints them
}

// A rule is decoded while it is judged: most of its steps never are.
type rule struct {
	handle  uint64
	comment string
	steps   iter.Seq[step]
}

// maxVisits bounds the rules that are looked at for one packet.
const maxVisits = 200_000

// maxDepth bounds how deep chains may jump; the kernel has 16 for nf_tables.
const maxDepth = 64

// Decode prepares a ruleset. What cannot be decoded is no error: verdicts that depend on it
// are CannotTell.
func Decode(source *netstate.Ruleset) *Rules {
	r := &Rules{}
	tables := r.decodeNFT(source)
	tables = append(tables, r.decodeLegacy(source)...)
	tables = append(tables, r.decodeText(source.Text)...)
	for _, u := range source.Unread {
		r.doubts = append(r.doubts, doubt{four: u.Family != 10, six: u.Family != 2, reason: fmt.Sprintf("table %s was not read, as %s", u.Table, u.Reason)})
	}
	for _, t := range tables {
		for _, c := range t.chains {
			if c.hook != noHook {
				r.bases = append(r.bases, c)
			}
		}
	}
	slices.SortFunc(r.bases, func(a, b *chain) int {
		return cmp.Or(cmp.Compare(a.priority, b.priority), cmp.Compare(a.table.backend, b.table.backend), cmp.Compare(a.table.name, b.table.name), cmp.Compare(a.name, b.name))
	})
	r.owners = ownersOf(tables)
	return r
}

// noHook is the hook of a chain that is no base chain.
const noHook = 0xffff

// Judge returns what the rules do to a packet. With several states it is Dropped if the
// packet is dropped in each, and Accepted if it is accepted in each.
func (r *Rules) Judge(p Packet) Verdict { return r.judge(p, nil) }

// JudgeAccepting judges as if the base chain of a rule accepted the packet: as an accept
// inserted as its first rule does.
func (r *Rules) JudgeAccepting(p Packet, base *Rule) Verdict { return r.judge(p, base) }

func (r *Rules) judge(p Packet, accepting *Rule) Verdict {
	states := p.States
	if len(states) == 0 {
		states = []State{New}
	}
	var first Verdict
	for i, s := range states {
		v := r.judgeState(&p, s, accepting)
		if i == 0 {
			first = v
		}
		switch {
		case v.Result == CannotTell:
			return v
		case v.Result != first.Result:
			return Verdict{Reason: fmt.Sprintf("it is %s in state %s, and %s in state %s", first.Result, states[0], v.Result, s)}
		}
	}
	return first
}

// hooksOf returns the hooks that a packet passes.
func hooksOf(h Hook) []uint32 {
	switch h {
	case Input:
		return []uint32{hookPrerouting, hookInput}
	case Forward:
		return []uint32{hookPrerouting, hookForward, hookPostrouting}
	}
	return []uint32{hookOutput, hookPostrouting}
}

// judgeState judges a packet in one state.
func (r *Rules) judgeState(p *Packet, s State, accepting *Rule) Verdict {
	e := &evaluation{headers: newHeaders(p, s)}
	st := state{}
	if p.Mark != nil {
		st.mark = mark{*p.Mark, 0xffffffff}
	}
	var sometimes []*Rule
	for _, hook := range hooksOf(p.Hook) {
		for _, base := range r.bases {
			if base.hook != hook || !base.sees(p) || accepting != nil && base.is(accepting) {
				continue
			}
			next := e.base(base, st)
			for _, d := range e.drops {
				if rule := r.quote(d); !slices.ContainsFunc(sometimes, func(other *Rule) bool { return *other == *rule }) {
					sometimes = append(sometimes, rule)
				}
			}
			if next == nil && !e.escapes {
				return Verdict{Result: Dropped, Rule: r.quote(e.drops[len(e.drops)-1]), Alone: len(sometimes) == 1 && e.unknown == "" && r.doubtOf(p) == ""}
			}
			if next == nil {
				return Verdict{Reason: e.unknown}
			}
			st = *next
		}
	}
	reason := cmp.Or(e.unknown, r.doubtOf(p))
	switch {
	case reason != "":
		return Verdict{Reason: reason}
	case len(sometimes) > 0:
		return Verdict{Reason: fmt.Sprintf("%s may drop it: %s", sometimes[0], cmp.Or(e.why, "not all packets match"))}
	}
	return Verdict{Result: Accepted}
}

func (r *Rules) doubtOf(p *Packet) string {
	for _, d := range r.doubts {
		if p.Six && d.six || !p.Six && d.four {
			return d.reason
		}
	}
	return ""
}

func (c *chain) sees(p *Packet) bool { return p.Six && c.table.six || !p.Six && c.table.four }

func (c *chain) is(r *Rule) bool {
	return c.table.backend == r.Backend && c.table.family == r.Family && c.table.name == r.Table && c.name == r.Base
}
