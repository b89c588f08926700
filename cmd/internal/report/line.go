// SPDX-License-Identifier: Apache-2.0

package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/cni-guard/cni-guard/pkg/printable"
)

// Short writes the report in a form that fits a chat message: a line with the counts, and a
// line for each finding and unknown result, without evidence.
func (r Report) Short(w io.Writer) error {
	var b strings.Builder
	printable.Fprintf(&b, "%s, cni-guard %s, %s: %s\n", orUnknown(r.Host.Name), orUnknown(r.Version), orUnknown(r.Runtime.Name), r.Summary.Counts())
	for _, c := range r.worstFirst() {
		for _, f := range c.Findings {
			printable.Fprintf(&b, "%s %s: %s\n", Word(c.State), c.label(), f)
			if f.Command != "" && c.State != Repaired {
				printable.Fprintf(&b, "  run %s\n", f.Command)
			}
		}
		if c.State == Unknown {
			printable.Fprintf(&b, "unknown %s: %s\n", c.label(), c.Error)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// label returns the ID and the name of a check.
func (c Check) label() string { return strings.TrimSpace(c.ID + " " + c.Name) }

// worstFirst returns the checks that have something to say, the worst state first.
func (r Report) worstFirst() []Check {
	all := slices.DeleteFunc(slices.Clone(r.Checks), func(c Check) bool { return c.State == Passed || c.State == Skipped })
	slices.SortStableFunc(all, func(a, b Check) int {
		return cmp.Compare(slices.Index(States(), b.State), slices.Index(States(), a.State))
	})
	return all
}

// maxNPD is how many bytes of a plugin's output node-problem-detector keeps unless its
// configuration says otherwise (max_output_length of its custom plugin monitor).
const maxNPD = 80

// NPD writes the report as one line for node-problem-detector, of at most 80 bytes. The
// line becomes the message of a node condition, or of an event.
func (r Report) NPD(w io.Writer) error {
	_, err := printable.Fprintf(w, "%s\n", r.npdLine())
	return err
}

func (r Report) npdLine() string {
	all := r.worstFirst()
	if r.Summary.ExitCode == 0 || len(all) == 0 {
		return cut(r.Summary.Meaning, maxNPD)
	}
	c := all[0]
	what := "could not tell: " + c.Error
	if len(c.Findings) > 0 {
		what = c.Findings[0].String()
	}
	more := ""
	if n := r.Summary.Failed + r.Summary.Unknown - 1; n > 0 {
		more = fmt.Sprintf(" (+%d)", n)
	}
	return cut(printable.String(c.label()+": "+what), maxNPD-len(more)) + more
}

// NPDFailure writes the line of a doctor that made no report, with the reason.
// node-problem-detector shows nothing else: it does not read the standard error.
func NPDFailure(w io.Writer, reason error) error {
	line := "could not tell: " + strings.Join(strings.Fields(printable.String(reason.Error())), " ")
	_, err := printable.Fprintf(w, "%s\n", cut(line, maxNPD))
	return err
}

// cut returns s, or as much of its beginning as fits in n bytes with an ellipsis of dots.
func cut(s string, n int) string {
	const dots = "..."
	if len(s) <= n {
		return s
	}
	end := n - len(dots)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + dots
}
