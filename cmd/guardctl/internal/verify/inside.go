// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/selftest"
	"github.com/cni-guard/cni-guard/cmd/internal/cli"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

// InsideCommands returns the hidden commands by which verify starts its own program: one
// runs the steps, the other is the process of a sandbox. Both do nothing outside the
// namespaces that verify makes for them.
func InsideCommands() []*cobra.Command {
	cmd := &cobra.Command{Use: insideCommand, Hidden: true, Args: cli.NoArgs}
	output := cli.OutputFlag(cmd, "text", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return inside(cmd, output) }
	hold := &cobra.Command{Use: selftest.HoldCommand, Hidden: true, Args: cli.NoArgs}
	hold.RunE = func(cmd *cobra.Command, _ []string) error { return selftest.Hold(cmd.InOrStdin()) }
	return []*cobra.Command{cmd, hold}
}

func inside(cmd *cobra.Command, output *cli.Format) error {
	results := []selftest.Result{}
	var arrived func()
	begin := func(step string) { arrived = cli.Waiting(cmd.ErrOrStderr(), step) }
	observer := selftest.Observer{Begin: begin, End: func(r selftest.Result) {
		arrived()
		results = append(results, r)
		if !output.JSON() {
			printStep(cmd.OutOrStdout(), r)
		}
	}}
	if err := selftest.Inside(cmd.Context(), cmd.InOrStdin(), observer); err != nil {
		return withoutNode(err)
	}
	verdict := selftest.Verdict(results)
	if err := printVerdict(cmd.OutOrStdout(), verdict, results, output); err != nil {
		return err
	}
	switch verdict {
	case selftest.Failed:
		return cli.Exit(cli.ExitFindings)
	case selftest.Unclear:
		return cli.Exit(cli.ExitUnknown)
	}
	return nil
}

// printStep prints the result of a step, with the evidence and what it means for the node.
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
	_, err := printable.Fprintf(w, "\n%d held, %d FAILED, %d unknown, %d skipped; nothing on this node was changed\n",
		n[selftest.OK], n[selftest.Failed], n[selftest.Unclear], n[selftest.Skipped])
	return err
}
