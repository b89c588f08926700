// SPDX-License-Identifier: Apache-2.0

package tunnels

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Forgets is when the firewalls have forgotten a tunnel in which nothing moved:
// net.netfilter.nf_conntrack_generic_timeout is 600 s, as it is in AWS.
const Forgets = 605 * time.Second

// Rounds are the shares of pods that reach another node within a second.
type Rounds struct {
	First  Share // pods come up on nodes that are new
	Later  Share // the same pods, when nothing of theirs has moved for Forgets
	Second Share // more pods come up, after Forgets once more
	Joined Share // a node joins, and more pods come up at once
}

// All returns the shares in their order.
func (r *Rounds) All() []Share { return []Share{r.First, r.Later, r.Second, r.Joined} }

// Replay plays the rounds, each with so many pods more.
func (c *Cluster) Replay(ctx context.Context, pods int) (*Rounds, error) {
	var r Rounds
	var err error
	if r.First, err = c.Deploy(ctx, pods); err != nil {
		return nil, fmt.Errorf("deploy: %w", err)
	}
	Pass(Forgets)
	if r.Later, err = c.Reconnect(); err != nil {
		return nil, fmt.Errorf("reconnect: %w", err)
	}
	Pass(Forgets)
	if r.Second, err = c.Deploy(ctx, pods); err != nil {
		return nil, fmt.Errorf("deploy again: %w", err)
	}
	if err := c.Grow(); err != nil {
		return nil, err
	}
	if r.Joined, err = c.Deploy(ctx, pods); err != nil {
		return nil, fmt.Errorf("deploy on more nodes: %w", err)
	}
	return &r, nil
}

// Pass lets time pass. There is no event to wait for: that time passes, and
// nothing else happens, is the event.
func Pass(d time.Duration) { time.Sleep(d) }

// A Table has a line for each way to meet the incident.
type Table struct{ lines []string }

// Add adds a line.
func (t *Table) Add(way string, r *Rounds) {
	t.lines = append(t.lines, fmt.Sprintf("| %s | %s | %s | %s | %s |", way, r.First, r.Later, r.Second, r.Joined))
}

// String returns the table in Markdown.
func (t Table) String() string {
	return "| | pods come up | the same pods, 10 minutes later | more pods, 10 minutes later | a node joins, and more pods come up |\n|---|---|---|---|---|\n" +
		strings.Join(t.lines, "\n") + "\n"
}
