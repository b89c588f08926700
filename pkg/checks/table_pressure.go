// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/cni-guard/cni-guard/pkg/guard"
)

// tablePressure reports tables of the kernel that are full, or were.
type tablePressure struct{}

func (tablePressure) declare() guard.Declaration { return guard.Declaration{Name: "table-pressure"} }

func (tablePressure) check() *Check {
	return &Check{
		ID:        "CG310",
		Summary:   "Connections of pods fail at random, or new pods cannot be reached, because a kernel table is full: connection tracking, or the neighbors (ARP, NDP) of all namespaces together; or a runtime does not notice a new network, because all inotify instances are in use.",
		Detection: "drop or early_drop of /proc/net/stat/nf_conntrack, or table_fulls of /proc/net/stat/arp_cache or ndisc_cache, grew since the last run, or, without an earlier run, while the check ran. Or a table was more than 90 % full for ten minutes: net.netfilter.nf_conntrack_count against nf_conntrack_max, entries of arp_cache against net.ipv4.neigh.default.gc_thresh3, of ndisc_cache against that of IPv6. Less than ten minutes is a minor finding, because a table may be that full on a node with much NAT and nothing is dropped. When run by root, the check also creates an inotify instance with a watch; it is a finding if none is left (EMFILE, ENOSPC).",
		Remedy:    "Raise the limit of the table that the finding names, in a file of sysctl.d (docs/node.md). For connection tracking set it in kube-proxy (--conntrack-max-per-core), which overwrites the sysctl at each start.",
		When:      guard.Node,
		Default:   guard.Warn,
		Probe:     probeTablePressure,
	}
}

// A kernelTable is a table with what counts its entries, its limit and its losses.
type kernelTable struct {
	object      string
	entries     string // a counter, or with "sysctl:" a sysctl
	limit       string // a sysctl
	losses      []string
	consequence string
	more        string // a sentence of the remedy, after the command
}

func kernelTables() []kernelTable {
	return []kernelTable{
		{
			object: "node/nf_conntrack", entries: "sysctl:net/netfilter/nf_conntrack_count", limit: "net/netfilter/nf_conntrack_max",
			losses:      []string{"stat/nf_conntrack/drop", "stat/nf_conntrack/early_drop"},
			consequence: "new connections of pods and of the node are dropped while it is full",
			more:        " Where kube-proxy runs, set it there (--conntrack-max-per-core), as it writes the value at each start.",
		},
		{
			object: "node/arp_cache", entries: "stat/arp_cache/entries", limit: "net/ipv4/neigh/default/gc_thresh3",
			losses:      []string{"stat/arp_cache/table_fulls"},
			consequence: "neighbors, pods among them, are not reached while it is full; it is one table for all namespaces",
		},
		{
			object: "node/ndisc_cache", entries: "stat/ndisc_cache/entries", limit: "net/ipv6/neigh/default/gc_thresh3",
			losses:      []string{"stat/ndisc_cache/table_fulls"},
			consequence: "neighbors, pods among them, are not reached by IPv6 while it is full; it is one table for all namespaces",
		},
	}
}

const (
	mostFull = 90 // percent
	fullFor  = 10 * time.Minute
)

func probeTablePressure(ctx context.Context, t *Target) ([]guard.Finding, error) {
	var levels []tableLevel
	var losses []string
	for _, table := range kernelTables() {
		level, err := t.level(table)
		if errors.Is(err, fs.ErrNotExist) {
			continue // no connection tracking, or, in another namespace than the first, no table of neighbors
		}
		if err != nil {
			return nil, err
		}
		levels, losses = append(levels, level), append(losses, table.losses...)
	}
	found, trouble := inotifyFindings(t)
	if len(levels) == 0 && (trouble != nil || t.TryInotify != nil) {
		return found, trouble
	}
	if len(levels) == 0 {
		return nil, guard.Skip("this namespace has no connection tracking, and does not show the tables of neighbors, which the first namespace of the kernel has")
	}
	now, err := t.readCounters(losses...)
	if err != nil {
		return found, errors.Join(trouble, err)
	}
	since := t.fullSince(levels)
	g, err := t.growthOfLosses(ctx, now, since)
	findings := found
	for _, level := range levels {
		findings = append(findings, level.judge(g, t.now().Sub(since))...)
	}
	return findings, errors.Join(trouble, err)
}

// growthOfLosses does not wait where nothing was ever lost, which is the usual case.
func (t *Target) growthOfLosses(ctx context.Context, now map[string]uint64, since time.Time) (growth, error) {
	lost := false
	for _, value := range now {
		lost = lost || value > 0
	}
	if !lost && t.lastCounted("table-pressure").Values == nil {
		t.keepCounted("table-pressure", counted{At: t.now(), Values: now, Since: since})
		return growth{}, nil
	}
	return t.growthOf(ctx, "table-pressure", now, since)
}

// A tableLevel is how full a table is.
type tableLevel struct {
	kernelTable
	have, most uint64
}

func (l tableLevel) full() bool { return l.most > 0 && l.have*100 > l.most*mostFull }

func (t *Target) level(table kernelTable) (tableLevel, error) {
	l := tableLevel{kernelTable: table}
	var err error
	if l.most, err = t.number(table.limit); err != nil {
		return l, err
	}
	if name, isSysctl := strings.CutPrefix(table.entries, "sysctl:"); isSysctl {
		l.have, err = t.number(name)
	} else {
		l.have, err = t.Node.Counter(table.entries)
	}
	return l, err
}

// number reads a sysctl that is a number.
func (t *Target) number(sysctl string) (uint64, error) {
	text, err := t.Node.Sysctl(sysctl)
	if err != nil {
		return 0, err
	}
	value, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read sysctl %s: %w", sysctl, err)
	}
	return value, nil
}

// fullSince returns since when every run found a table nearly full; zero if none is now.
func (t *Target) fullSince(levels []tableLevel) time.Time {
	for _, l := range levels {
		if !l.full() {
			continue
		}
		if since := t.lastCounted("table-pressure").Since; !since.IsZero() {
			return since
		}
		return t.now()
	}
	return time.Time{}
}

// judge returns the finding of a table, which is full for that long if it is full.
func (l tableLevel) judge(g growth, full time.Duration) []guard.Finding {
	command := fmt.Sprintf("sysctl -w %s=%d", dotted(l.limit), 2*l.most)
	filled := fmt.Sprintf("holds %d entries of at most %d (%s)", l.have, l.most, l.limit)
	f := guard.Finding{
		Object: l.object, Problem: filled, Impact: l.consequence, Command: command, Remedy: "Run: " + command + "." + l.more,
	}
	for _, loss := range l.losses {
		if by, grew := g.By[loss]; grew {
			f.Problem = fmt.Sprintf("lost %d entries %s", by, g.Over)
			f.Evidence = fmt.Sprintf("%s of /proc/net: %d -> %d; it %s", loss, g.From[loss], g.Now[loss], filled)
			return []guard.Finding{f}
		}
	}
	if !l.full() {
		return nil
	}
	f.Evidence = "none is known to be lost so far"
	f.Minor = full < fullFor
	return []guard.Finding{f}
}
