// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// comparison is the two runs of an incident.
type comparison struct {
	incident
	without, with outcome
}

// writeTable writes a block of lines for each incident, in three columns.
func writeTable(w io.Writer, runs []comparison) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, "INCIDENT\tWITHOUT CNI-GUARD\tWITH CNI-GUARD")
	for _, c := range runs {
		fmt.Fprintln(t, "\t\t")
		name, without := []string{c.name}, c.without.Damage
		with := append(c.with.Damage, c.with.Health...)
		if why := c.without.Lacking; why != "" {
			without, with = []string{"not played: " + why}, nil
		}
		for i := range max(len(name), len(without), len(with)) {
			fmt.Fprintf(t, "%s\t%s\t%s\n", at(name, i), at(without, i), at(with, i))
		}
	}
	return t.Flush()
}

// at returns a line, or "" beyond the last one.
func at(lines []string, i int) string {
	if i >= len(lines) {
		return ""
	}
	return lines[i]
}

// writeDetail writes what happened in each run.
func writeDetail(w io.Writer, runs []comparison) {
	for _, c := range runs {
		fmt.Fprintf(w, "%s: %s\n", c.name, c.title)
		for _, run := range []struct {
			title string
			outcome
		}{{"without cni-guard", c.without}, {"with cni-guard", c.with}} {
			fmt.Fprintf(w, "\n%s\n", run.title)
			if run.Lacking != "" {
				fmt.Fprintf(w, "  not played: %s\n", run.Lacking)
			}
			for _, event := range run.Events {
				fmt.Fprintf(w, "  %s\n", event)
			}
			for _, line := range append(run.Damage, run.Health...) {
				fmt.Fprintf(w, "  => %s\n", line)
			}
		}
	}
}

// verdict writes a summary. It returns an error if the runs do not show that cni-guard
// prevents the damage.
func verdict(w io.Writer, runs []comparison) error {
	played := 0
	var errs []error
	for _, c := range runs {
		if c.without.Lacking != "" {
			continue
		}
		played++
		if len(c.without.Damage) == 0 {
			errs = append(errs, fmt.Errorf("%s: the run without cni-guard did no damage, so it shows nothing", c.name))
		}
		if len(c.with.Damage) > 0 {
			errs = append(errs, fmt.Errorf("%s: with cni-guard, %s", c.name, strings.Join(c.with.Damage, ", ")))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if played == 0 {
		return errors.New("no incident can be played on this machine")
	}
	fmt.Fprintf(w, "\n%d of %d incidents played with real plugins on private nodes; with cni-guard, none did damage.\n", played, len(runs))
	return nil
}
