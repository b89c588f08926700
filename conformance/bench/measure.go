// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"
)

// medians returns the median time of each subject and verb.
type medians map[string]map[string]time.Duration

// measure runs all subjects in turn, round after round.
func measure(rounds int, subjects []subject) (medians, error) {
	const warmUp = 5
	all := map[string]map[string][]time.Duration{}
	for round := range rounds + warmUp {
		for _, verb := range verbs() {
			for _, s := range subjects {
				took, err := s.call(verb)
				if err != nil {
					return nil, err
				}
				if round < warmUp {
					continue
				}
				if all[s.name] == nil {
					all[s.name] = map[string][]time.Duration{}
				}
				all[s.name][verb] = append(all[s.name][verb], took)
			}
		}
	}
	m := medians{}
	for name, byVerb := range all {
		m[name] = map[string]time.Duration{}
		for verb, times := range byVerb {
			slices.Sort(times)
			m[name][verb] = times[len(times)/2]
		}
	}
	return m, nil
}

// A comparison is a ratio of two subjects, with the most that it may be for each
// verb; 0 for no budget.
type comparison struct {
	ours, theirs string
	budget       map[string]float64
}

// comparisons returns the ratios in the order of the table.
func comparisons() []comparison {
	return []comparison{
		{"cni-guard", "reference tuning", map[string]float64{"ADD": 1.35, "DEL": 1.35}},
		{"our loopback", "reference loopback", map[string]float64{"ADD": 1.1, "CHECK": 1.1, "DEL": 1.1}},
		{"cni-guard, 1000 tunnels", "cni-guard, 0 tunnels", map[string]float64{"ADD": 1.05}},
		{"cni-guard", "reference portmap", nil},
		{"cni-guard", "empty plugin", nil},
		{"reference tuning", "empty plugin", nil},
	}
}

func (m medians) ratio(c comparison, verb string) float64 {
	return float64(m[c.ours][verb]) / float64(m[c.theirs][verb])
}

// overBudget reports whether a ratio, as it is printed, is more than it may be.
func (m medians) overBudget() bool {
	for _, c := range comparisons() {
		for verb, budget := range c.budget {
			if m.ratio(c, verb) >= budget+0.005 {
				return true
			}
		}
	}
	return false
}

// print writes the ratios, and the medians that they are of.
func print(w io.Writer, records, rounds int, m medians) {
	fmt.Fprintf(w, "\nwith %d other records, medians of %d interleaved runs\n\n", records, rounds)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "ratio\tADD\tCHECK\tDEL\t")
	for _, c := range comparisons() {
		fmt.Fprintf(t, "%s / %s\t", c.ours, c.theirs)
		for _, verb := range verbs() {
			fmt.Fprintf(t, "%.2f%s\t", m.ratio(c, verb), budgetNote(c.budget[verb]))
		}
		fmt.Fprintln(t)
	}
	for _, name := range []string{"empty Go program", "empty plugin", "reference loopback", "our loopback", "reference tuning", "reference portmap", "cni-guard", "cni-guard, 0 tunnels", "cni-guard, 1000 tunnels"} {
		fmt.Fprintf(t, "%s, ms\t", name)
		for _, verb := range verbs() {
			fmt.Fprintf(t, "%.2f\t", float64(m[name][verb].Microseconds())/1000)
		}
		fmt.Fprintln(t)
	}
	t.Flush()
}

func budgetNote(budget float64) string {
	if budget == 0 {
		return ""
	}
	return fmt.Sprintf(" (≤ %.2f)", budget)
}

// fillLedger writes the records of other pods, each as long as a real one.
func fillLedger(stateDir string, records int) error {
	live := filepath.Join(stateDir, "live")
	if err := os.MkdirAll(live, 0o700); err != nil {
		return fmt.Errorf("fill ledger: %w", err)
	}
	for i := range records {
		id := fmt.Sprintf("%064d", i)
		record := fmt.Sprintf(`{"network":"bench","containerID":%q,"ifName":"eth0","bootID":"other","cookie":%d,"netns":"/run/netns/cni-%d"}`, id, i, i)
		if err := os.WriteFile(filepath.Join(live, "bench:"+id+":eth0"), []byte(record), 0o600); err != nil {
			return fmt.Errorf("fill ledger: %w", err)
		}
	}
	return nil
}
