// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/cli"
	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

// ExplainCommand returns guardctl explain, for the checks of suite.
func ExplainCommand(suite []*checks.Check) *cobra.Command {
	cmd := &cobra.Command{
		Use:               "explain CHECK",
		Short:             "Say what a check prevents, how it sees it, and what to do",
		Example:           "  guardctl explain host-netns",
		ValidArgsFunction: cobra.FixedCompletions(namesOf(suite), cobra.ShellCompDirectiveNoFileComp),
		Args:              cli.OneArg("CHECK", "guardctl checks"),
	}
	output := cli.OutputFlag(cmd, "text", "json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := Find(suite, args[0])
		if err != nil {
			return err
		}
		if output.JSON() {
			return cli.PrintJSON(cmd.OutOrStdout(), entryOf(c))
		}
		return printExplanation(cmd.OutOrStdout(), entryOf(c))
	}
	return cmd
}

// Find gives a check by name.
func Find(suite []*checks.Check, name string) (*checks.Check, error) {
	name = strings.ToLower(name)
	for _, c := range suite {
		if c.Name == name {
			return c, nil
		}
	}
	return nil, &cli.ExitError{
		Code: cli.ExitUsage,
		Err:  fmt.Errorf("check %q is unknown%s", name, guard.Suggest(name, namesOf(suite))),
		Hint: "guardctl checks lists them all",
	}
}

func printExplanation(w io.Writer, e entry) error {
	repairs := "It repairs nothing."
	if e.Repairs != "" {
		repairs = "It repairs what it finds on " + e.Repairs + "."
	}
	_, err := printable.Fprintf(w, "%s\n\nWhat it prevents\n%s\n\nHow it is seen\n%s\n\nWhat to do\n%s\n\nWhen\n%s\n%s", e.Name,
		cli.Wrap(e.Summary), cli.Wrap(e.Detection), cli.Wrap(e.Remedy),
		cli.Wrap(fmt.Sprintf("It runs on %s. %s %s", e.When, refusals(e), repairs)),
		explainOptions(e.Options))
	return err
}

// refusals says whether the check refuses a call, and with which code. A look at the
// node refuses nothing, as there is no call.
func refusals(e entry) string {
	switch {
	case e.When == guard.Node.String():
		return "It only reports: there is no call that it could refuse."
	case e.Default == guard.Enforce:
		return fmt.Sprintf("By default it is set to enforce, and refuses with code %s.", codes(e))
	}
	return fmt.Sprintf("By default it is set to %s, and refuses nothing; set to enforce, it refuses with code %s.", e.Default, codes(e))
}

func explainOptions(options []option) printable.Text {
	var b strings.Builder
	for _, o := range options {
		printable.Fprintf(&b, "%s\n", cli.Wrap(fmt.Sprintf("%s: %s Default: %s.", o.Key, o.Meaning, o.Default)))
	}
	if b.Len() == 0 {
		return ""
	}
	return printable.Text("\nOptions\n" + b.String())
}

func namesOf(suite []*checks.Check) []string {
	names := make([]string, len(suite))
	for i, c := range suite {
		names[i] = c.Name
	}
	return names
}
