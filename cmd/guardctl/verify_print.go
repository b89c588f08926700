// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/cli"
	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/selftest"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

// printStep prints a step as soon as it has ended: how it went, what was seen,
// and what that means for the node.
func printStep(w io.Writer, r selftest.Result) {
	state := string(r.State)
	if r.State == selftest.Failed {
		state = "FAILED"
	}
	printable.Fprintf(w, "%-14s  %s\n", state, r.Step)
	for _, text := range []string{r.Saw, r.Means} {
		if text != "" {
			printable.Fprintln(w, cli.Wrap(text))
		}
	}
}

func printVerdict(w io.Writer, verdict selftest.State, results []selftest.Result, output *cli.Format) error {
	if output.JSON() {
		return cli.PrintJSON(w, map[string]any{"verdict": verdict, "steps": results})
	}
	n := map[selftest.State]int{}
	for _, r := range results {
		n[r.State]++
	}
	_, err := printable.Fprintf(w, "\n%d held, %d FAILED, %d could not be told, %d skipped; nothing on this node was changed\n",
		n[selftest.OK], n[selftest.Failed], n[selftest.Unclear], n[selftest.Skipped])
	return err
}
