// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/report"
	"github.com/cni-guard/cni-guard/conformance/scenario"
)

// run plays everything and reports.
func (s suite) run(ctx context.Context, o options) error {
	r, err := s.describe(func(k kind) (string, error) {
		if k.programs == nil {
			return k.version("")
		}
		return k.version(k.programs(o.locations))
	})
	if err != nil {
		return err
	}
	began := time.Now()
	w, err := newWorkshop(o.locations)
	if err != nil {
		return err
	}
	defer w.close()
	for i, sc := range s.scenarios {
		for j, k := range s.kinds {
			fmt.Fprintf(os.Stderr, "[%*d/%d] %s on %s: ", 2, i*len(s.kinds)+j+1, len(s.scenarios)*len(s.kinds), sc.Name, k.name)
			cell := w.play(ctx, sc, k, k.name == s.bundledOn(i))
			if ctx.Err() != nil {
				fmt.Fprintln(os.Stderr)
				return errors.New("interrupted")
			}
			tell(cell)
			r.Cells = append(r.Cells, cell)
		}
	}
	r.Took = time.Since(began)
	return conclude(r, o)
}

// describe says what will be in the report.
func (s suite) describe(version func(kind) (string, error)) (report.Report, error) {
	var r report.Report
	for _, sc := range s.scenarios {
		r.Scenarios = append(r.Scenarios, report.Scenario{Name: sc.Name, Incident: sc.Incident, Harms: sc.Harms, HarmsOn: sc.HarmsOn, Holds: sc.Holds, Limits: sc.Limits, LimitsOn: sc.LimitsOn})
	}
	for _, k := range s.kinds {
		v, err := version(k)
		if err != nil {
			return r, err
		}
		r.Runtimes = append(r.Runtimes, report.Runtime{Name: k.name, Version: v})
	}
	return r, nil
}

// bundledOn returns the runtime on which guardctl doctor judges the nodes of a scenario
// afterwards, and bundles of them: each scenario has one, and each runtime some scenarios.
// guardctl does not support podman.
func (s suite) bundledOn(scenario int) string {
	var names []string
	for _, k := range s.kinds {
		if k.name != "podman" && s.scenarios[scenario].NotOn[k.name] == "" {
			names = append(names, k.name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return names[scenario%len(names)]
}

// play plays the scenario twice, each time in a node of its own.
func (w *workshop) play(ctx context.Context, sc scenario.Scenario, k kind, bundled bool) report.Cell {
	cell := report.Cell{Scenario: sc.Name, Runtime: k.name}
	if reason := sc.NotOn[k.name]; reason != "" {
		cell.Without.Verdict = claim.Verdict{Word: claim.NotPlayed, Why: reason}
		cell.With.Verdict = cell.Without.Verdict
		return cell
	}
	expect := sc.Expect(k.name)
	cell.Without = w.cell(ctx, sc.Name, k.name, false, bundled, func(seen []claim.Sighting, err error) claim.Verdict {
		return claim.Without(expect, seen, err)
	})
	cell.With = w.cell(ctx, sc.Name, k.name, true, bundled, func(seen []claim.Sighting, err error) claim.Verdict {
		return claim.With(expect, seen, err)
	})
	return cell
}

// tell ends the line of progress, and says at once what broke.
func tell(c report.Cell) {
	if c.Without.Word == claim.NotPlayed {
		fmt.Fprintln(os.Stderr, c.Without.Word)
		return
	}
	fmt.Fprintf(os.Stderr, "%s, %s (%s)\n", c.Without.Word, c.With.Word, (c.Without.Took + c.With.Took).Round(100*time.Millisecond))
	for _, r := range []report.Run{c.Without, c.With} {
		if r.Word != claim.Broken {
			continue
		}
		fmt.Fprintf(os.Stderr, "  %s\n", r.Why)
		for _, line := range r.Log {
			fmt.Fprintf(os.Stderr, "  | %s\n", line)
		}
	}
}

func conclude(r report.Report, o options) error {
	write := r.WriteTable
	if o.json {
		write = r.WriteJSON
	}
	if err := write(os.Stdout); err != nil {
		return err
	}
	if r.Broken() > 0 {
		return errBroken
	}
	if o.page == "" {
		return nil
	}
	if err := os.WriteFile(o.page, []byte(r.Page()), 0o644); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}
