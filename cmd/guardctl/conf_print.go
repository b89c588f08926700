// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/cli"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

// print writes the table and, below it, each finding with what to do.
func (r confReport) print(w io.Writer) error {
	var b strings.Builder
	switch {
	case slices.ContainsFunc(r.Findings, func(f confFinding) bool { return f.Kind == assess.Unreadable }):
		printable.Fprintf(&b, "could not tell what %s takes from %s\n", r.title, printable.String(r.Dir))
	case r.Effective == "":
		printable.Fprintf(&b, "%s loads NOTHING from %s: no pod can start\n", r.title, printable.String(r.Dir))
	default:
		printable.Fprintf(&b, "%s takes %s from %s: pods get network %q\n", r.title, printable.String(r.Effective), printable.String(r.Dir), r.Network)
	}
	for _, how := range r.How {
		printable.Fprintf(&b, "  %s\n", printable.String(how))
	}
	b.WriteString("\n")
	r.table(&b)
	for _, f := range r.Findings {
		f.print(&b)
	}
	if len(r.Findings) == 0 {
		b.WriteString("\nNothing to do.\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// print gives commands and files a line of their own, to be copied.
func (f confFinding) print(b *strings.Builder) {
	head := f.Role.String()
	if head != "" {
		head += " "
	}
	minor := ""
	if f.Minor {
		minor = " (minor)"
	}
	printable.Fprintf(b, "\n%s%s%s\n", head, printable.String(f.File), minor)
	for _, clause := range []string{f.Problem, f.Evidence, f.Pods} {
		if clause != "" {
			b.WriteString(string(cli.Wrap(clause)) + "\n")
		}
	}
	for _, line := range []struct{ word, text string }{{"keep", f.Keep}, {"run", f.Command}} {
		if line.text != "" {
			printable.Fprintf(b, "  %-4s  %s\n", line.word, printable.String(line.text))
		}
	}
	if f.Remedy != "" {
		b.WriteString(string(cli.Wrap(f.Remedy)) + "\n")
	}
}

func (r confReport) table(b *strings.Builder) {
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	printable.Fprintf(t, "ROLE\tFILE\tVERDICT\tNETWORK\tPLUGINS\tREASON\n")
	for _, f := range r.Files {
		printable.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", cli.OrDash(f.Role.String()), printable.String(f.Name), cli.OrDash(f.Verdict.String()),
			cli.OrDash(printable.String(f.Network)), cli.OrDash(printable.String(strings.Join(f.Plugins, ","))), printable.String(f.because()))
	}
	_ = t.Flush() // to a Builder, which takes everything
}

// because says what the runtime makes of a file, and why the file has its role.
func (f confFile) because() string {
	if f.Why == "" {
		return f.Reason
	}
	return f.Reason + "; " + f.Why
}
