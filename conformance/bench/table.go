// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// A comparison is a row of the table: the ratio of two subjects.
type comparison struct {
	title        string
	ours, theirs string
	records      int // of other pods, in the ledger
	budgets      []budget
}

// A budget bounds a ratio. A ratio is compared as it is printed.
type budget struct {
	verb, what string // "ADD", "wall"
	limit      float64
}

// comparisons returns the rows in their order.
func comparisons() []comparison {
	return []comparison{
		{"cni-guard / reference `tuning`", "cni-guard", "reference tuning", 0,
			[]budget{{"ADD", "wall", 1.15}, {"DEL", "wall", 1.10}, {"ADD", "switches", 1.30}}},
		{"the same, with 1,000 records of other pods", "cni-guard", "reference tuning", 1000,
			[]budget{{"ADD", "wall", 1.20}, {"DEL", "wall", 1.15}}},
		{"on a node with 1,000 warm tunnels / with none", "cni-guard, 1000 tunnels", "cni-guard, 0 tunnels", 0,
			[]budget{{"ADD", "wall", 1.05}}},
		{"our `loopback` / reference `loopback`", "our loopback", "reference loopback", 0,
			[]budget{{"ADD", "wall", 0.97}, {"DEL", "wall", 0.97}}},
		{"cni-guard / reference `portmap`", "cni-guard", "reference portmap", 0, nil},
		{"cni-guard / a plugin that does nothing", "cni-guard", "empty plugin", 0, nil},
		{"reference `tuning` / a plugin that does nothing", "reference tuning", "empty plugin", 0, nil},
	}
}

// quantities are what is compared, in the order of a cell.
func quantities() []string { return []string{"wall", "CPU", "switches"} }

func (u usage) quantity(what string) float64 {
	switch what {
	case "wall":
		return u.wall.Seconds()
	case "CPU":
		return u.cpu.Seconds()
	}
	return float64(u.switches)
}

func (c comparison) ratio(results map[int]medians, verb, what string) float64 {
	m := results[c.records]
	return m[c.ours][verb].quantity(what) / m[c.theirs][verb].quantity(what)
}

// overBudget returns the ratios that are above their budget.
func overBudget(results map[int]medians) []string {
	var over []string
	for _, c := range comparisons() {
		for _, b := range c.budgets {
			if got := c.ratio(results, b.verb, b.what); got >= b.limit+0.005 {
				over = append(over, fmt.Sprintf("%s %s of %s is %.2f (budget %.2f)", b.verb, b.what, c.title, got, b.limit))
			}
		}
	}
	return over
}

// table returns the ratios, and the medians of one call, as Markdown.
func table(rounds int, results map[int]medians) string {
	var b strings.Builder
	b.WriteString("| wall · CPU · context switches | " + strings.Join(verbs(), " | ") + " | budget |\n|---|---|---|---|---|\n")
	for _, c := range comparisons() {
		fmt.Fprintf(&b, "| %s |", c.title)
		for _, verb := range verbs() {
			var cell []string
			for _, what := range quantities() {
				cell = append(cell, fmt.Sprintf("%.2f", c.ratio(results, verb, what)))
			}
			fmt.Fprintf(&b, " %s |", strings.Join(cell, " · "))
		}
		var budgets []string
		for _, budget := range c.budgets {
			budgets = append(budgets, fmt.Sprintf("%s %s %.2f", budget.verb, budget.what, budget.limit))
		}
		fmt.Fprintf(&b, " %s |\n", strings.Join(budgets, ", "))
	}
	for _, name := range []string{"cni-guard", "reference tuning", "our loopback", "reference loopback", "empty plugin", "empty Go program"} {
		fmt.Fprintf(&b, "| %s: ms · ms · switches |", name)
		for _, verb := range verbs() {
			u := results[0][name][verb]
			fmt.Fprintf(&b, " %.2f · %.2f · %d |", u.wall.Seconds()*1000, u.cpu.Seconds()*1000, u.switches)
		}
		b.WriteString(" |\n")
	}
	fmt.Fprintf(&b, "\nMedians of %d interleaved calls, from start to exit, on %s.\n", rounds, machine())
	return b.String()
}

// machine describes the machine in a few words.
func machine() string {
	var name unix.Utsname
	_ = unix.Uname(&name)
	load, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(load), " ")
	return fmt.Sprintf("Linux %s with %d CPUs at load %s", unix.ByteSliceToString(name.Release[:]), runtime.NumCPU(), first)
}

// The lines between which replaceTable puts the table.
const (
	beginMark = "<!-- bench: make bench writes this table -->\n"
	endMark   = "<!-- end of bench -->\n"
)

// replaceTable replaces the table of a Markdown file.
func replaceTable(path, table string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	before, rest, ok := bytes.Cut(text, []byte(beginMark))
	_, after, ended := bytes.Cut(rest, []byte(endMark))
	if !ok || !ended {
		return fmt.Errorf("write table: %s has no lines %q and %q", path, beginMark, endMark)
	}
	text = bytes.Join([][]byte{before, []byte(beginMark + table + endMark), after}, nil)
	if err := os.WriteFile(path, text, 0o644); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	return nil
}
