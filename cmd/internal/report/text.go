// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/cni-guard/cni-guard/cmd/internal/terminal"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

// TextOptions say how Text shows a report.
type TextOptions struct {
	Terminal terminal.Terminal
	Verbose  bool // each check that passed, all findings of a check, and how the node was found
	Skipped  bool // each check that was skipped, with the reason
}

// maxFindings is how many findings of one check are shown unless Verbose is set. A node
// has thousands of peers.
const maxFindings = 10

// Text writes the report for people.
func (r Report) Text(w io.Writer, o TextOptions) error {
	t := &text{TextOptions: o}
	t.header(r)
	for _, a := range r.Areas {
		t.area(a, r.In(a.Name))
	}
	t.incidents(r.Incidents)
	t.summary(r.Summary)
	_, err := io.WriteString(w, t.b.String())
	return err
}

// A text is a report that is being written.
type text struct {
	TextOptions
	b strings.Builder
}

// line writes a line. The prefix is not wrapped; paragraph is text that is not printable yet.
func (t *text) line(prefix, paragraph string) {
	t.b.WriteString(t.Terminal.Wrap(prefix, printable.String(paragraph)) + "\n")
}

// whole writes a line that is not wrapped, for what people copy.
func (t *text) whole(prefix, paragraph string) {
	t.b.WriteString(prefix + printable.String(paragraph) + "\n")
}

func (t *text) header(r Report) {
	mode := "observe: nothing is changed"
	if r.Mode == Repair {
		mode = "repair: what a check can repair is repaired"
	}
	t.line("", fmt.Sprintf("%s, cni-guard %s, %s, %s", orUnknown(r.Host.Name), orUnknown(r.Version), orUnknown(r.Runtime.Name), mode))
	from := "the defaults, as no file has an entry of cni-guard"
	if r.PolicyFrom != "" {
		from = r.PolicyFrom
	}
	t.line("", fmt.Sprintf("conf dir %s; policies and options from %s", r.Runtime.ConfDir, from))
	for i, how := range r.Runtime.How {
		if t.Verbose || r.Runtime.Assumed && i == 0 {
			t.line("", how)
		}
	}
	for _, limit := range r.Limits {
		t.line("could not look at: ", limit.String())
	}
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

// area writes a heading and the checks below it. An area where all is well is one line.
func (t *text) area(a Area, checks []Check) {
	counts := t.countRest(checks)
	shown := slices.DeleteFunc(slices.Clone(checks), func(c Check) bool { return !t.shows(c) })
	t.b.WriteString("\n")
	if len(shown) == 0 {
		t.line(t.Terminal.Paint(terminal.Heading, printable.String(a.Title))+": ", counts)
		return
	}
	t.b.WriteString(t.Terminal.Paint(terminal.Heading, printable.String(a.Title)) + "\n")
	for _, c := range shown {
		t.check(c)
	}
	if counts != "" {
		t.line("  ", counts)
	}
}

// shows reports whether a check has a line of its own.
func (t *text) shows(c Check) bool {
	switch c.State {
	case Passed:
		return t.Verbose
	case Skipped:
		return t.Verbose || t.Skipped
	default:
		return true
	}
}

// countRest counts the checks that have no line of their own.
func (t *text) countRest(checks []Check) string {
	var counts []string
	for _, state := range []State{Passed, Skipped} {
		n := 0
		for _, c := range checks {
			if c.State == state && !t.shows(c) {
				n++
			}
		}
		if n > 0 {
			counts = append(counts, fmt.Sprintf("%d %s", n, state))
		}
	}
	return strings.Join(counts, ", ")
}

// check writes the line of a check, and what is to be known of it.
func (t *text) check(c Check) {
	head := "  " + t.Terminal.Paint(styleOf(c.State), fmt.Sprintf("%-8s", Word(c.State))) + " " + printable.String(strings.TrimSpace(c.ID+" "+c.Name))
	if c.State == Skipped {
		t.line(head+": ", c.Skipped)
		return
	}
	t.b.WriteString(head + "\n")
	for i, f := range c.Findings {
		if i == maxFindings && !t.Verbose {
			t.line("    ", fmt.Sprintf("and %d more, which -v shows", len(c.Findings)-i))
			break
		}
		t.finding(f, c.State)
	}
	if c.Error != "" {
		t.line("    ", c.Error)
	}
	if c.State != Passed {
		t.whole("    more      guardctl explain ", c.Name)
	}
}

// Word returns the word for a state in text for people.
func Word(s State) string {
	if s == Failed {
		return "finding"
	}
	return string(s)
}

func styleOf(s State) terminal.Style {
	switch s {
	case Failed:
		return terminal.Bad
	case Unknown, Minor:
		return terminal.Doubtful
	case Passed, Repaired:
		return terminal.Good
	default:
		return terminal.Faint
	}
}

// finding writes what is wrong, the evidence, the effect on pods, and what to do.
func (t *text) finding(f guard.Finding, state State) {
	what := f.String()
	if f.Minor && state != Minor {
		what += " (minor)"
	}
	t.line("    ", what)
	label := func(word, paragraph string) {
		if paragraph != "" {
			t.line(fmt.Sprintf("      %-9s ", word), paragraph)
		}
	}
	label("evidence", f.Evidence)
	label("effect", f.Impact)
	if !f.Since.IsZero() {
		label("since", f.Since.UTC().Format("2006-01-02 15:04:05 UTC")+", as far as events say")
	}
	if state == Repaired {
		label("changed", f.Change)
		return
	}
	if f.Command != "" {
		t.whole(fmt.Sprintf("      %-9s ", "run"), f.Command)
	}
	label("do", BesideCommand(f.Remedy, f.Command))
}

// BesideCommand returns what a remedy says besides the command: "" for "Run COMMAND." and
// "Run: COMMAND.", "Keep x." for "Run COMMAND, and keep x.", and "Stop y. It holds." for
// "Stop y: COMMAND. It holds."
func BesideCommand(remedy, command string) string {
	if command == "" {
		return remedy
	}
	rest, found := strings.CutPrefix(remedy, "Run "+command)
	if !found {
		rest, found = strings.CutPrefix(remedy, "Run: "+command)
	}
	if !found {
		return strings.Replace(remedy, ": "+command, "", 1)
	}
	if rest == "" || rest == "." {
		return ""
	}
	for _, joint := range []string{", and ", ". ", "; "} {
		if clause, ok := strings.CutPrefix(rest, joint); ok {
			first, size := utf8.DecodeRuneInString(clause)
			return string(unicode.ToUpper(first)) + clause[size:]
		}
	}
	return remedy
}

// maxIncidents is how many incidents are shown unless Verbose is set.
const maxIncidents = 10

func (t *text) incidents(all []Incident) {
	if len(all) == 0 {
		return
	}
	t.b.WriteString("\n" + t.Terminal.Paint(terminal.Heading, "Incidents of the last 24 hours") + "\n")
	if skip := len(all) - maxIncidents; skip > 0 && !t.Verbose {
		t.line("  ", fmt.Sprintf("%d earlier ones, which -v shows", skip))
		all = all[skip:]
	}
	for _, i := range all {
		t.line(fmt.Sprintf("  %s %-8s ", i.Last.UTC().Format("01-02 15:04:05 UTC"), printable.String(i.State)), i.sentence())
	}
	t.b.WriteString("  all: guardctl events --since 24h\n")
}

// sentence says what happened, to which pod, and how often.
func (i Incident) sentence() string {
	sentence := i.Message
	if i.Pod != "" {
		sentence += "; pod " + i.Pod
	}
	if i.Count > 1 {
		sentence += fmt.Sprintf("; %d times since %s", i.Count, i.Time.UTC().Format(time.DateTime))
	}
	return sentence
}

func (t *text) summary(s Summary) {
	t.b.WriteString("\n")
	t.line(t.Terminal.Paint(styleOf(s.State), printable.String(s.Counts()))+". ", fmt.Sprintf("Exit code %d: %s.", s.ExitCode, s.Meaning))
}

// Counts returns how many checks are in which state: "1 with findings, 12 passed, 2
// skipped".
func (s Summary) Counts() string {
	var all []string
	for _, c := range []struct {
		n    int
		what string
	}{
		{s.Failed, "with findings"}, {s.Unknown, "unknown"}, {s.Minor, "with minor findings"}, {s.Repaired, "repaired"}, {s.Passed, "passed"}, {s.Skipped, "skipped"},
	} {
		if c.n > 0 {
			all = append(all, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	if len(all) == 0 {
		return "No check ran"
	}
	return "Checks: " + strings.Join(all, ", ")
}
