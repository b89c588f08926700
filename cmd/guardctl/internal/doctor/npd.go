// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/internal/cli"
	"github.com/cni-guard/cni-guard/cmd/internal/report"
)

// answerNPD makes every error of the command, wrong flags included, the answer "unknown"
// to node-problem-detector: one line on the standard output, and exit code 2. To
// node-problem-detector other codes than 0, 1 and 2 are unknown as well, and without a
// line its message is empty.
func answerNPD(cmd *cobra.Command) {
	answer := func(cmd *cobra.Command, err error) error {
		exit := new(cli.ExitError)
		if err == nil || errors.As(err, &exit) && exit.Err == nil || !wantsNPD(cli.ArgsOf(cmd)) {
			return err
		}
		return errors.Join(report.NPDFailure(cmd.OutOrStdout(), err), &cli.ExitError{Code: cli.ExitUnknown, Err: err, Hint: exit.Hint})
	}
	cmd.SetFlagErrorFunc(answer)
	args, run := cmd.Args, cmd.RunE
	cmd.Args = func(cmd *cobra.Command, given []string) error { return answer(cmd, args(cmd, given)) }
	cmd.RunE = func(cmd *cobra.Command, given []string) error { return answer(cmd, run(cmd, given)) }
}

// wantsNPD reports whether arguments ask for that format. They may have errors, so that no
// flag of them was parsed.
func wantsNPD(args []string) bool {
	for i, arg := range args {
		if slices.Contains([]string{"-onpd", "-o=npd", "--output=npd"}, arg) ||
			(arg == "-o" || arg == "--output") && i+1 < len(args) && args[i+1] == formatNPD {
			return true
		}
	}
	return false
}
