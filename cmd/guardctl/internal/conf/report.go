// SPDX-License-Identifier: Apache-2.0

package conf

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cni-guard/cni-guard/cmd/internal/cli"
	"github.com/cni-guard/cni-guard/cmd/internal/inspect"
	"github.com/cni-guard/cni-guard/cmd/internal/node"
	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
	"github.com/cni-guard/cni-guard/pkg/conflist/quarantine"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

// A report is the result of guardctl conf.
type report struct {
	Runtime   string       `json:"runtime"`
	title     string       // of the runtime, for people
	Dir       string       `json:"dir"`
	Effective string       `json:"effective"` // "" if the runtime loads nothing
	Network   string       `json:"network"`
	Intended  string       `json:"intended"` // "" if unknown
	Basis     assess.Basis `json:"basis"`    // what decided Intended
	Error     string       `json:"error,omitempty"`
	How       []string     `json:"how,omitempty"` // how the site was found
	Files     []file       `json:"files"`
	Findings  []finding    `json:"findings"`
}

type file struct {
	Name       string           `json:"name"`
	Verdict    conflist.Verdict `json:"verdict"`
	Role       assess.Role      `json:"role,omitempty"`
	Why        string           `json:"why,omitempty"` // why it has the role
	Reason     string           `json:"reason"`        // why it has the verdict
	Author     string           `json:"author,omitempty"`
	Network    string           `json:"network,omitempty"`
	CNIVersion string           `json:"cniVersion,omitempty"`
	Plugins    []string         `json:"plugins,omitempty"`
	DropIns    []string         `json:"dropIns,omitempty"`
	ModTime    time.Time        `json:"modTime,omitzero"`
}

// A finding is a problem with a file or with the conf dir, and what to do about it.
type finding struct {
	Kind     assess.Kind `json:"kind"`
	File     string      `json:"file"`
	Role     assess.Role `json:"role,omitempty"` // of the file; "" if File is the conf dir
	Problem  string      `json:"problem"`
	Evidence string      `json:"evidence,omitempty"`
	Pods     string      `json:"pods,omitempty"`    // impact on pods
	Keep     string      `json:"keep,omitempty"`    // file that must stay
	Command  string      `json:"command,omitempty"` // command to run
	Remedy   string      `json:"remedy,omitempty"`  // what to do if no command does it
	Minor    bool        `json:"minor,omitempty"`
	Unknown  bool        `json:"unknown,omitempty"`
}

// newReport returns the report of an assessment. Without readable quarantine records it
// says nothing of the files in quarantine.
func newReport(ctx context.Context, n *node.Node, a assess.Assessment) report {
	s := a.Selection
	r := report{
		Runtime: n.Site.Runtime.Kind.String(), title: n.Site.Runtime.Kind.DisplayName(), Dir: n.Site.ConfDir, Intended: a.Intended, Basis: a.Basis, How: n.Notes,
		Files: []file{}, Findings: []finding{},
	}
	if e := s.Effective(); e != nil {
		r.Effective, r.Network = e.Name, e.Network
	}
	if s.Err != nil {
		r.Error = s.Err.Error()
	}
	reasons := inQuarantine(n.Site.ConfDir)
	for _, f := range a.Files {
		r.Files = append(r.Files, file{f.Name, f.Verdict, f.Role, f.Why, f.Reason, f.Author, f.Network, f.CNIVersion, f.Plugins, f.DropIns, f.ModTime})
	}
	for _, f := range s.Files {
		if f.Verdict == conflist.NotLoadable {
			r.Files = append(r.Files, file{Name: f.Name, Verdict: f.Verdict, Reason: cmp.Or(reasons[f.Name], f.Reason), ModTime: f.ModTime})
		}
	}
	for _, p := range a.Problems {
		r.Findings = append(r.Findings, finding{
			Kind: p.Kind, File: pathOrDir(n, p.File), Role: a.Role(p.File), Problem: p.What, Evidence: p.Evidence, Pods: p.Impact,
			Keep: p.MustStay, Command: p.Command, Remedy: p.Remedy, Minor: p.Minor, Unknown: p.Unknown,
		})
	}
	for _, p := range append(inspect.Runtime(ctx, n.Site, a), n.InspectChain(ctx, a)...) {
		r.Findings = append(r.Findings, finding{
			Kind: p.Kind, File: p.Object, Problem: p.What, Evidence: p.Evidence, Pods: p.Impact,
			Command: p.Command, Remedy: p.Remedy, Minor: p.Minor, Unknown: p.Unknown,
		})
	}
	r.Findings = append(r.Findings, entryFindings(a)...)
	return r
}

// exitCode returns the exit code for the worst finding. Minor findings do not count.
func (r report) exitCode() int {
	code := cli.ExitOK
	for _, f := range r.Findings {
		switch {
		case f.Unknown:
			code = cli.ExitUnknown
		case !f.Minor:
			return cli.ExitFindings
		}
	}
	return code
}

// inQuarantine returns, for the names in quarantine, the reason why they are not loaded.
func inQuarantine(dir string) map[string]string {
	records, err := quarantine.List(dir)
	if err != nil {
		return nil // the table shows that no runtime loads them
	}
	reasons := map[string]string{}
	for _, r := range records {
		reasons[r.Quarantined] = "is in quarantine" + since(r)
		reasons[r.Quarantined+".record"] = "is the record of that file"
	}
	return reasons
}

// since says when, by whom and why a file was moved, as far as known.
func since(r quarantine.Record) string {
	if r.RecordError != "" {
		return "; " + r.RecordError
	}
	return fmt.Sprintf(" since %s UTC, by uid %d: %s", r.When.UTC().Format(time.DateTime), r.UID, r.Why)
}

// path returns the path of a file of the conf dir, quoted for a shell.
func path(n *node.Node, name string) string {
	return printable.Word(filepath.Join(n.Site.ConfDir, name))
}

func pathOrDir(n *node.Node, name string) string {
	if name == "" {
		return n.Site.ConfDir
	}
	return path(n, name)
}

// print writes the files and, below them, the findings.
func (r report) print(w io.Writer) error {
	var b strings.Builder
	switch {
	case slices.ContainsFunc(r.Findings, func(f finding) bool { return f.Kind == assess.Unreadable }):
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
	b.WriteString(r.table())
	for _, f := range r.Findings {
		f.print(&b)
	}
	if len(r.Findings) == 0 {
		b.WriteString("\nNothing to do.\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// print writes a finding. Commands and paths get lines of their own, to be copied.
func (f finding) print(b *strings.Builder) {
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

func (r report) table() string {
	t := cli.NewTable("ROLE", "FILE", "VERDICT", "NETWORK", "PLUGINS", "REASON")
	for _, f := range r.Files {
		t.Row(f.Role.String(), f.Name, f.Verdict.String(), f.Network, strings.Join(f.Plugins, ","), f.because())
	}
	return t.String()
}

// because returns the reasons of the verdict and of the role.
func (f file) because() string {
	if f.Why == "" {
		return f.Reason
	}
	return f.Reason + "; " + f.Why
}

// entryFindings returns the problems of the guard's entries in the files that pods get or
// will get. The check guard-placement reports the same ones.
func entryFindings(a assess.Assessment) []finding {
	var all []finding
	for _, e := range checks.LoadedEntries(a) {
		for _, f := range e.Findings() {
			all = append(all, finding{
				Kind: "guard-entry", File: e.Path, Problem: f.Problem, Evidence: f.Evidence, Pods: f.Impact,
				Command: f.Command, Remedy: f.Remedy, Minor: f.Minor,
			})
		}
	}
	return all
}
