// SPDX-License-Identifier: Apache-2.0

package report

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// frame is the page around what a run shows.
//
//go:embed page.md
var frame string

// Page is docs/conformance.md.
func (r Report) Page() string {
	return strings.NewReplacer(
		"TABLE\n", r.markdownTable(),
		"REMARKS\n", list(r.remarks()),
		"SCENARIOS\n", r.markdownScenarios(),
	).Replace(frame)
}

// Parts are what the page holds whatever a run shows.
func (r Report) Parts() []string {
	parts := []string{r.markdownScenarios()}
	rest := frame
	for _, hole := range []string{"TABLE\n", "REMARKS\n", "SCENARIOS\n"} {
		before, after, _ := strings.Cut(rest, hole)
		parts, rest = append(parts, before), after
	}
	return append(parts, rest)
}

func (r Report) markdownTable() string {
	var b strings.Builder
	b.WriteString("| scenario |")
	for _, rt := range r.Runtimes {
		fmt.Fprintf(&b, " %s |", rt.Version)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(r.Runtimes)) + "\n")
	for _, s := range r.Scenarios {
		fmt.Fprintf(&b, "| [%s](#%s) |", s.Name, s.Name)
		for _, rt := range r.Runtimes {
			fmt.Fprintf(&b, " %s |", r.text(s.Name, rt.Name))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func (r Report) markdownScenarios() string {
	var b strings.Builder
	for i, s := range r.Scenarios {
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "### %s\n\n%s\n", s.Name, s.Incident)
		if len(s.Harms) > 0 {
			fmt.Fprintf(&b, "\nWithout the guard these no longer hold:\n\n%s", list(s.Harms))
		}
		for _, runtime := range slices.Sorted(maps.Keys(s.HarmsOn)) {
			fmt.Fprintf(&b, "\nOn %s, these instead:\n\n%s", runtime, list(s.HarmsOn[runtime]))
		}
		if len(s.Limits) > 0 {
			fmt.Fprintf(&b, "\nWith the guard these do not hold until an operator repairs the node:\n\n%s", list(s.Limits))
		}
		for _, runtime := range slices.Sorted(maps.Keys(s.LimitsOn)) {
			fmt.Fprintf(&b, "\nOn %s, these instead:\n\n%s", runtime, list(s.LimitsOn[runtime]))
		}
		fmt.Fprintf(&b, "\nWith the guard these were checked and hold:\n\n%s", list(s.Holds))
	}
	return b.String()
}

func list[T ~string](items []T) string {
	var b strings.Builder
	for _, item := range items {
		fmt.Fprintf(&b, "* %s\n", item)
	}
	return b.String()
}
