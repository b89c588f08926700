// SPDX-License-Identifier: Apache-2.0

package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/cni-guard/cni-guard/conformance/claim"
)

// WriteJSON writes the report for programs.
func (r Report) WriteJSON(to io.Writer) error {
	e := json.NewEncoder(to)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// WriteTable writes the report for people.
func (r Report) WriteTable(to io.Writer) error {
	w := tabwriter.NewWriter(to, 0, 0, 3, ' ', 0)
	fmt.Fprint(w, "without / with the guard")
	for _, rt := range r.Runtimes {
		fmt.Fprintf(w, "\t%s", rt.Version)
	}
	fmt.Fprintln(w)
	for _, s := range r.Scenarios {
		fmt.Fprint(w, s.Name)
		for _, rt := range r.Runtimes {
			fmt.Fprintf(w, "\t%s", r.text(s.Name, rt.Name))
		}
		fmt.Fprintln(w)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(to)
	for _, line := range r.remarks() {
		fmt.Fprintln(to, line)
	}
	_, err := fmt.Fprintf(to, "\n%s\n", r.summary())
	return err
}

// remarks say what the words of the table leave open, once for all scenarios and
// runtimes of which the same is to be said.
func (r Report) remarks() []string {
	type remark struct{ runtimes, text string }
	var order []remark
	scenarios := map[remark][]string{}
	for _, s := range r.Scenarios {
		for _, why := range r.reasons(s.Name) {
			key := remark{strings.Join(why.runtimes, ", "), why.text}
			if scenarios[key] == nil {
				order = append(order, key)
			}
			scenarios[key] = append(scenarios[key], s.Name)
		}
	}
	var remarks []string
	for _, key := range order {
		remarks = append(remarks, fmt.Sprintf("%s on %s: %s", strings.Join(scenarios[key], ", "), key.runtimes, key.text))
	}
	return remarks
}

// A reason is what is to be said of a scenario on some runtimes.
type reason struct {
	text     string
	runtimes []string
}

func (r Report) reasons(scenario string) []reason {
	var all []reason
	for _, c := range r.Cells {
		if c.Scenario != scenario {
			continue
		}
	texts:
		for _, text := range c.explanations() {
			for i := range all {
				if all[i].text == text {
					all[i].runtimes = append(all[i].runtimes, c.Runtime)
					continue texts
				}
			}
			all = append(all, reason{text, []string{c.Runtime}})
		}
	}
	return all
}

func (c Cell) explanations() []string {
	var lines []string
	switch c.Without.Word {
	case claim.NotHarmed, claim.NotPlayed:
		lines = append(lines, fmt.Sprintf("%s: %s", c.Without.Word, c.Without.Why))
	case claim.Broken:
		lines = append(lines, "BROKEN without the guard: "+c.Without.Why)
	}
	switch c.With.Word {
	case claim.Mended:
		lines = append(lines, fmt.Sprintf("%s: %s", c.With.Word, c.With.Why))
	case claim.Broken:
		lines = append(lines, "BROKEN with the guard: "+c.With.Why)
	}
	return lines
}

func (r Report) summary() string {
	took := r.Took.Round(time.Second)
	if n := r.Broken(); n > 0 {
		return fmt.Sprintf("%d of %d are BROKEN, after %s.", n, len(r.Cells), took)
	}
	played := 0
	for _, c := range r.Cells {
		if c.Without.Word != claim.NotPlayed {
			played++
		}
	}
	return fmt.Sprintf("%d were played, and all are as they should be, after %s.", played, took)
}
