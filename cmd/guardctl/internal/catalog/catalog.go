// SPDX-License-Identifier: Apache-2.0

// Package catalog is guardctl checks and guardctl explain: the documentation of all
// checks, for a terminal, as JSON and as docs/checks.md.
package catalog

import (
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/cli"
	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

// An entry is a check as the catalogue shows it.
type entry struct {
	Name      string       `json:"name"`
	Summary   string       `json:"prevents"`
	Detection string       `json:"seen"`
	Remedy    string       `json:"remedy"`
	When      string       `json:"when"`
	Default   guard.Policy `json:"default"`
	Repairs   string       `json:"repairs,omitempty"` // the stages at which it does
	Code      uint         `json:"code"`              // of the CNI error when it refuses

	StatusCode uint     `json:"statusCode,omitempty"` // of that of STATUS, where it runs there
	Options    []option `json:"options,omitempty"`    // beside policy and repair
}

func entryOf(c *checks.Check) entry {
	code := c.Code
	if code == 0 {
		code = guard.CodeCheck
	}
	return entry{
		Name: c.Name, Summary: c.Summary, Detection: c.Detection, Remedy: c.Remedy,
		When: c.When.String(), Default: c.Default, Repairs: repairs(c), Code: code,
		StatusCode: statusCode(c), Options: optionsOf(c),
	}
}

// An option is a key of the configuration of a check as the catalogue shows it.
type option struct {
	Key     string `json:"key"`
	Meaning string `json:"means"`
	Default string `json:"default"` // as JSON
}

func optionsOf(c *checks.Check) []option {
	if c.Options == nil {
		return nil
	}
	var all []option
	for _, o := range c.Options.Keys() {
		all = append(all, option{o.Key, o.Meaning, o.Value.Default()})
	}
	return all
}

func statusCode(c *checks.Check) uint {
	switch {
	case c.When&guard.Status == 0:
		return 0
	case c.StatusCode == 0:
		return guard.CodeImpaired
	}
	return c.StatusCode
}

func entriesOf(suite []*checks.Check) []entry {
	entries := make([]entry, len(suite))
	for i, c := range suite {
		entries[i] = entryOf(c)
	}
	return entries
}

// ChecksCommand returns guardctl checks, which lists the checks of suite.
func ChecksCommand(suite []*checks.Check) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "checks",
		Short: "List all checks, in the order in which they run",
		Args:  cli.NoArgs,
	}
	output := cli.OutputFlag(cmd, "text", "json", "markdown")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		switch output.String() {
		case "json":
			return cli.PrintJSON(cmd.OutOrStdout(), entriesOf(suite))
		case "markdown":
			return writeMarkdown(cmd.OutOrStdout(), entriesOf(suite))
		}
		return printTable(cmd.OutOrStdout(), entriesOf(suite))
	}
	return cmd
}

// printTable prints a line for each check and, below it, what it prevents.
func printTable(w io.Writer, entries []entry) error {
	var table strings.Builder
	t := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	printable.Fprintf(t, "CHECK\tRUNS ON\tDEFAULT\tREPAIRS\n")
	for _, e := range entries {
		printable.Fprintf(t, "%s\t%s\t%s\t%s\n", e.Name, e.When, e.Default, cli.OrDash(e.Repairs))
	}
	_ = t.Flush() // to a Builder, which takes everything
	var b strings.Builder
	for i, line := range strings.SplitAfter(table.String(), "\n") {
		b.WriteString(line)
		if 0 < i && i <= len(entries) { // the first line is the heading
			printable.Fprintf(&b, "%s\n", cli.Wrap(entries[i-1].Summary))
		}
	}
	b.WriteString("\nguardctl explain NAME says how it is seen, and what to do.\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// repairs names the stages at which a check repairs what it finds.
func repairs(c *checks.Check) string {
	if c.Repair == nil {
		return ""
	}
	var stages []string
	for _, stage := range []guard.Stage{guard.Add, guard.Del, guard.Status, guard.Node} {
		if c.When&stage != 0 && stage.MayRepair() {
			stages = append(stages, stage.String())
		}
	}
	return strings.Join(stages, ", ")
}
