// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/internal/cli"
	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

// ExplainCommand returns guardctl explain, for the checks of suite.
func ExplainCommand(suite []*checks.Check) *cobra.Command {
	cmd := &cobra.Command{
		Use:               "explain CHECK",
		Short:             "Explain what a check prevents, how it detects a problem and what to do",
		Example:           "  guardctl explain host-netns",
		ValidArgsFunction: cobra.FixedCompletions(Names(suite), cobra.ShellCompDirectiveNoFileComp),
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

// Find returns the check of suite with that name or ID, in any case, or a usage error.
func Find(suite []*checks.Check, name string) (*checks.Check, error) {
	name = strings.ToLower(name)
	for _, c := range suite {
		if c.Name == name || name != "" && strings.ToLower(c.ID) == name {
			return c, nil
		}
	}
	return nil, &cli.ExitError{
		Code: cli.ExitUsage,
		Err:  fmt.Errorf("check %q is unknown%s", name, guard.Suggest(name, Names(suite))),
		Hint: "guardctl checks lists them all",
	}
}

// Names returns the names of the checks of suite.
func Names(suite []*checks.Check) []string {
	names := make([]string, len(suite))
	for i, c := range suite {
		names[i] = c.Name
	}
	return names
}

func printExplanation(w io.Writer, e entry) error {
	var b strings.Builder
	b.WriteString(strings.TrimSpace(e.ID+" "+e.Name) + "\n")
	section := func(title string, paragraphs ...string) {
		b.WriteString("\n" + title + "\n")
		for _, p := range paragraphs {
			printable.Fprintf(&b, "%s\n", cli.Wrap(p))
		}
	}
	section("Summary", e.Summary)
	section("Detection", e.Detection)
	section("What to do", e.Remedy)
	section("When it runs", fmt.Sprintf("It runs on %s. %s %s", e.When, e.refusal(), e.repair()))
	if len(e.Options) > 0 {
		section("Options")
	}
	for _, o := range e.Options {
		printable.Fprintf(&b, "%s\n", cli.Wrap(fmt.Sprintf("%s: %s Default: %s.", o.Key, o.Meaning, o.Default)))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// refusal returns a sentence about whether the check refuses a call, and with which code.
func (e entry) refusal() string {
	switch {
	case e.Code == 0:
		return "guardctl doctor and the agent run it, not the calls of the runtime, so it only reports."
	case e.Default == guard.Enforce:
		return fmt.Sprintf("By default a finding refuses the call with code %s.", e.codes())
	}
	return fmt.Sprintf("Its default policy is %s: a finding is reported and refuses no call. With policy enforce it refuses with code %s.", e.Default, e.codes())
}

// repair returns a sentence about when the check repairs what it finds.
func (e entry) repair() string {
	if e.Repairs == "" {
		return "It repairs nothing."
	}
	return "It repairs what it finds on " + e.Repairs + "."
}
