// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// settle raises and lowers the problem of the node where a hold-down is over.
func (a *Agent) settle() {
	now := time.Now()
	a.mu.Lock()
	changed := false
	for _, c := range a.checks {
		if at, ok := c.settles(); ok && !now.Before(at) {
			c.raised, changed = c.bad, true
		}
	}
	a.status.Problem = a.problem()
	a.mu.Unlock()
	if changed {
		a.opt.Changed()
	}
}

// settles returns when the check is raised or lowered, if it is to be.
func (c *check) settles() (time.Time, bool) {
	hold := holdUp
	if c.bad {
		hold = holdDown
	}
	return c.turned.Add(hold), c.bad != c.raised
}

// nextSettle returns how long it is until a hold-down is over.
func (a *Agent) nextSettle() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	wait := time.Hour
	for _, c := range a.checks {
		if at, ok := c.settles(); ok {
			wait = min(wait, max(time.Until(at), 0))
		}
	}
	return wait
}

// problem returns the problem of the node: that of the first check with an enforced policy,
// or else of the first. The caller holds mu.
func (a *Agent) problem() *Problem {
	var raised []*check
	for _, name := range a.order {
		if c := a.checks[name]; c != nil && c.raised {
			raised = append(raised, c)
		}
	}
	if len(raised) == 0 {
		return nil
	}
	slices.SortStableFunc(raised, func(x, y *check) int { return y.rank() - x.rank() })
	p := &Problem{ID: raised[0].ID, Check: raised[0].Check, Since: raised[0].turned, Checks: len(raised)}
	var all []string
	for _, c := range raised {
		all = append(all, c.sentence())
	}
	p.Message = shorten(strings.Join(all, "; "), messageMost)
	return p
}

// rank is higher for a worse check: one that has a finding now before one whose hold-down
// is not over, one that refuses pods before one that warns.
func (c *check) rank() (rank int) {
	if c.bad {
		rank += 2
	}
	if c.enforce {
		rank++
	}
	return rank
}

func (c *check) sentence() string {
	var all []string
	for _, f := range c.Findings {
		if !f.Minor {
			all = append(all, f.String())
		}
	}
	if len(all) == 0 {
		return fmt.Sprintf("%s %s: the finding is gone, but for less than %s", c.ID, c.Check, holdUp)
	}
	return fmt.Sprintf("%s %s: %s", c.ID, c.Check, strings.Join(all, ", "))
}

// shorten cuts a text to at most n bytes, at a character.
func shorten(text string, n int) string {
	const more = " …"
	if len(text) <= n {
		return text
	}
	cut := 0
	for i := range text {
		if i > n-len(more) {
			break
		}
		cut = i
	}
	return text[:cut] + more
}
