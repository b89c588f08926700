// SPDX-License-Identifier: Apache-2.0

// Package catalog is guardctl checks and guardctl explain: the documentation of all
// checks, for a terminal, as JSON and as docs/checks.md.
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

// An entry documents a check.
type entry struct {
	ID        string       `json:"id,omitempty"`
	Name      string       `json:"name"`
	Summary   string       `json:"prevents"`
	Detection string       `json:"seen"`
	Remedy    string       `json:"remedy"`
	When      string       `json:"when"`
	Default   guard.Policy `json:"default"`
	Repairs   string       `json:"repairs,omitempty"` // stages at which it repairs what it finds
	Code      uint         `json:"code,omitempty"`    // CNI error code of a refusal; 0 if no call runs the check

	StatusCode uint     `json:"statusCode,omitempty"` // CNI error code of STATUS; 0 if STATUS does not run the check
	Options    []option `json:"options,omitempty"`    // besides policy and repair
}

// An option is a configuration key of a check.
type option struct {
	Key     string `json:"key"`
	Meaning string `json:"means"`
	Default string `json:"default"` // as JSON
}

func entriesOf(suite []*checks.Check) []entry {
	entries := make([]entry, len(suite))
	for i, c := range suite {
		entries[i] = entryOf(c)
	}
	return entries
}

func entryOf(c *checks.Check) entry {
	e := entry{
		ID: c.ID, Name: c.Name, Summary: c.Summary, Detection: c.Detection, Remedy: c.Remedy,
		When: c.When.String(), Default: c.Default, Repairs: repairStages(c),
	}
	if c.When != guard.Node {
		e.Code = orDefault(c.Code, guard.CodeCheck)
	}
	if c.When&guard.Status != 0 {
		e.StatusCode = orDefault(c.StatusCode, guard.CodeImpaired)
	}
	if c.Options != nil {
		for _, o := range c.Options.Keys() {
			e.Options = append(e.Options, option{o.Key, o.Meaning, o.Value.Default()})
		}
	}
	return e
}

func orDefault(code, fallback uint) uint {
	if code == 0 {
		return fallback
	}
	return code
}

// repairStages returns the stages at which a check repairs what it finds.
func repairStages(c *checks.Check) string {
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

// codes returns the code of a refusal and, if STATUS has one of its own, that one; "-"
// if no call runs the check.
func (e entry) codes() string {
	switch {
	case e.Code == 0:
		return "-"
	case e.StatusCode == 0:
		return fmt.Sprint(e.Code)
	}
	return fmt.Sprintf("%d, STATUS %d", e.Code, e.StatusCode)
}

// ChecksCommand returns guardctl checks, which lists the checks of suite.
func ChecksCommand(suite []*checks.Check) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "checks",
		Short: "List all checks in the order in which they run",
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

// printTable prints a line for each check and, below it, its summary.
func printTable(w io.Writer, entries []entry) error {
	t := cli.NewTable("ID", "CHECK", "RUNS ON", "DEFAULT", "REPAIRS ON")
	for _, e := range entries {
		t.Row(e.ID, e.Name, e.When, e.Default.String(), e.Repairs)
	}
	var b strings.Builder
	for i, line := range strings.SplitAfter(t.String(), "\n") {
		b.WriteString(line)
		if 0 < i && i <= len(entries) { // the first line is the heading
			printable.Fprintf(&b, "%s\n", cli.Wrap(entries[i-1].Summary))
		}
	}
	b.WriteString("\nRun guardctl explain CHECK for how a check detects a problem and what to do about it.\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// writeMarkdown writes docs/checks.md.
func writeMarkdown(w io.Writer, entries []entry) error {
	var b strings.Builder
	b.WriteString("<!-- Generated from the checks by `make generate`. -->\n\n# Checks\n\n" +
		"The checks in the order in which they run. *Default* is the policy without configuration:\n" +
		"`enforce` refuses the call, `warn` only reports. A check whose result is unknown never refuses\n" +
		"a call. Checks that run on `node` need no pod: `guardctl doctor` runs them. Options are keys\n" +
		"next to `policy` and `repair` in the check's section of `checks`.\n\n" +
		"| ID | check | runs on | default | repairs on | code |\n|---|---|---|---|---|---|\n")
	for _, e := range entries {
		printable.Fprintf(&b, "| %s | [%s](#%s) | %s | %s | %s | %s |\n", e.ID, e.Name, e.Name, e.When, e.Default, cli.OrDash(e.Repairs), e.codes())
	}
	for _, e := range entries {
		printable.Fprintf(&b, "\n## %s\n\n%s: %s\n\n**Detection.** %s\n\n**What to do.** %s\n", e.Name, e.ID, e.Summary, e.Detection, e.Remedy)
		if len(e.Options) > 0 {
			b.WriteString("\n| option | default | meaning |\n|---|---|---|\n")
		}
		for _, o := range e.Options {
			printable.Fprintf(&b, "| `%s` | `%s` | %s |\n", o.Key, o.Default, o.Meaning)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
