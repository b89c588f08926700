// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// print writes the table and, below it, each finding with what to do.
func (r confReport) print(w io.Writer) error {
	var b strings.Builder
	if r.Effective == "" {
		fmt.Fprintf(&b, "%s loads NOTHING from %s: no pod can start\n", r.Runtime, oneLine(r.Dir))
	} else {
		fmt.Fprintf(&b, "%s takes %s from %s: pods get network %q\n", r.Runtime, oneLine(r.Effective), oneLine(r.Dir), r.Network)
	}
	for _, how := range r.How {
		fmt.Fprintf(&b, "  %s\n", oneLine(how))
	}
	b.WriteString("\n")
	r.table(&b)
	for _, f := range r.Findings {
		f.print(&b)
	}
	b.WriteString(r.conclusion())
	_, err := io.WriteString(w, b.String())
	return err
}

// print gives commands and files a line of their own, to be copied.
func (f confFinding) print(b *strings.Builder) {
	head := "" // what is wrong with the folder stands for itself
	if f.Role != roleNone {
		head = string(f.Role) + " "
	}
	fmt.Fprintf(b, "\n%s%s\n%s\n", head, oneLine(f.File), wrap(f.Problem))
	for _, line := range []struct{ word, text string }{{"KEEP", f.Keep}, {"run", f.Command}} {
		if line.text != "" {
			fmt.Fprintf(b, "  %-4s  %s\n", line.word, oneLine(line.text))
		}
	}
	if f.Remedy != "" {
		b.WriteString(string(wrap(f.Remedy)) + "\n")
	}
}

func (r confReport) table(b *strings.Builder) {
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\tFILE\tVERDICT\tNETWORK\tPLUGINS\tREASON")
	for _, f := range r.Files {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", orDash(string(f.Role)), oneLine(f.Name), f.Verdict,
			orDash(oneLine(f.Network)), orDash(oneLine(strings.Join(f.Plugins, ","))), oneLine(f.Reason))
	}
	_ = t.Flush() // to a Builder, which takes everything
}

// conclusion says how sure the words KEEP and ROGUE are.
func (r confReport) conclusion() string {
	switch {
	case len(r.Findings) == 0:
		return "\nNothing to do.\n"
	case r.Sure:
		return ""
	}
	return "\n" + string(wrap("No file has cni-guard in it, so that nobody has said which network is the right one: KEEP is the one that is in use. If the pods' addresses are wrong it is the other way round.")) + "\n"
}
