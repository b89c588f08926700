// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/cli"
	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/selftest"
)

// verifyParts are the commands with which verify calls its own program: one
// runs the steps, the other is the process of a sandbox. Neither does anything
// in namespaces that nobody made for it.
func verifyParts() []*cobra.Command {
	inside := &cobra.Command{Use: insideCommand, Hidden: true, Args: cli.NoArgs}
	output := cli.OutputFlag(inside, "text", "json")
	inside.RunE = func(cmd *cobra.Command, _ []string) error { return verifyInside(cmd, output) }
	hold := &cobra.Command{Use: selftest.HoldCommand, Hidden: true, Args: cli.NoArgs}
	hold.RunE = func(cmd *cobra.Command, _ []string) error { return selftest.Hold(cmd.InOrStdin()) }
	return []*cobra.Command{inside, hold}
}

func verifyInside(cmd *cobra.Command, output *cli.Format) error {
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
