// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"fmt"
	"iter"
)

// An evaluation follows a packet through the base chains. Where a condition is not certain
// it follows both ways, so that it knows all that may happen.
type evaluation struct {
	*headers
	visits  int
	unknown string // why an outcome is not known; "": all are
	escapes bool   // the packet may go another way, or become another one
	why     string // of the first condition that was not certain

	// Of the base chain at hand.
	base_ *chain
	drops []drop
	taken *state // of the packets that a rule has accepted; nil if none
}

// A drop is a place where packets are dropped.
type drop struct {
	base, chain *chain
	at          int // index of the rule; -1: the policy
	rejects     bool
}

// base runs a base chain. It returns what is known of the packets that pass it; nil if
// none does.
func (e *evaluation) base(c *chain, st state) *state {
	e.base_, e.drops, e.taken = c, nil, nil
	if c.nat {
		return e.natBase(c, st)
	}
	fall := e.chain(c, st, 0)
	if fall != nil && c.drops {
		e.drops = append(e.drops, drop{base: c, chain: c, at: -1})
		fall = nil
	}
	return either(e.taken, fall)
}

// natBase runs a base chain of type nat, which sees the first packet of a connection only.
// What it may translate at the end of the way does not matter.
func (e *evaluation) natBase(c *chain, st state) *state {
	if st.untracked == yes || e.state != New {
		if e.state != New && st.untracked != yes && len(c.rules) > 0 {
			st.translate = maybe
		}
		return &st
	}
	fall := e.chain(c, st, 0)
	if fall != nil && c.drops || len(e.drops) > 0 {
		e.doubt(fmt.Sprintf("chain %s of type nat may drop it", c.name))
		e.drops = nil
		fall = either(fall, &st)
	}
	return either(e.taken, fall)
}

func either(a, b *state) *state {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	s := a.or(*b)
	return &s
}

// doubt records why the outcome is not known.
func (e *evaluation) doubt(reason string) {
	if e.unknown == "" {
		e.unknown = reason
	}
}

// chain runs a chain. It returns what is known of the packets that come to its end, or
// return; nil if none does.
func (e *evaluation) chain(c *chain, st state, depth int) *state {
	if depth > maxDepth {
		e.doubt("chains jump too deep")
		e.escapes = true
		return &st
	}
	var returned *state
	current := &st
	m := newMachine(e.headers, e.base_.hook, e.early())
	for i := range c.rules {
		if e.visits++; e.visits > maxVisits {
			e.doubt("there are too many rules")
			e.escapes = true
			return either(returned, current)
		}
		m.reset(*current)
		t := m.run(c.rules[i].steps)
		if t == no && m.st == *current {
			continue
		}
		after := m.st
		if t == no { // a statement before the condition has changed the packet
			current = either(current, &after)
			continue
		}
		if m.why != "" && e.why == "" {
			e.why = m.why
		}
		var next *state
		if t == maybe {
			next = either(current, &after)
		}
		if len(m.verdicts) == 0 {
			next = either(next, &after)
		}
		for _, v := range m.verdicts {
			on, back := e.act(v, c, i, after, depth)
			next, returned = either(next, on), either(returned, back)
			if v.kind == vUnknown || v.kind == vMap {
				e.doubt(fmt.Sprintf("rule %d of chain %s cannot be judged: %s", i+1, c.name, m.why))
			}
		}
		if current = next; current == nil {
			return returned
		}
	}
	return either(returned, current)
}

// early reports whether connection tracking has not seen the packet yet: it has priority
// -200 where packets come into being or arrive.
func (e *evaluation) early() bool {
	return e.base_.priority <= -200 && (e.base_.hook == hookPrerouting || e.base_.hook == hookOutput)
}

// act follows a verdict. It returns what is known of the packets that go on behind the
// rule, and of those that leave the chain for the rule that jumped to it.
func (e *evaluation) act(v verdict, c *chain, at int, st state, depth int) (on, back *state) {
	switch v.kind {
	case vAccept:
		e.taken = either(e.taken, &st)
	case vDrop, vReject:
		e.drops = append(e.drops, drop{e.base_, c, at, v.kind == vReject})
	case vReturn:
		return nil, &st
	case vJump, vGoto:
		target := c.table.chains[v.chain]
		if target == nil {
			e.doubt(fmt.Sprintf("rule %d of chain %s jumps to a chain that was not read", at+1, c.name))
			e.escapes = true
			return &st, nil
		}
		if v.kind == vGoto {
			return nil, e.chain(target, st, depth+1)
		}
		return e.chain(target, st, depth+1), nil
	case vTranslate:
		if e.base_.hook == hookPostrouting || e.base_.hook == hookInput {
			e.taken = either(e.taken, &st) // the source, which nothing looks at any more
			break
		}
		e.doubt(fmt.Sprintf("rule %d of chain %s may change where the packet goes", at+1, c.name))
		e.escapes = true
		st.translate, st.altered = yes, true
		e.taken = either(e.taken, &st)
	case vMap: // accept, drop, or a jump: all come back to this chain, or end it
		st = state{untracked: maybe, translate: st.translate, altered: st.altered}
		e.escapes = e.escapes || e.base_.nat
		e.taken = either(e.taken, &st)
		return &st, nil
	case vUnknown:
		e.escapes = true
		return &st, nil
	case vContinue:
		return &st, nil
	}
	return nil, nil
}

// run runs the steps of a rule.
func (m *machine) run(steps iter.Seq[step]) tri {
	all, unknown := yes, false
	for s := range steps {
		before := len(m.verdicts)
		t := s.run(m)
		_, is := s.(opaque)
		unknown = unknown || is
		switch {
		case t == no && unknown:
			return maybe // an earlier step may have ended the rule
		case t == no:
			return no
		}
		all = all.and(t)
		if len(m.verdicts) > before && !is {
			break
		}
	}
	return all
}
