// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/cli"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
	"github.com/cni-guard/cni-guard/pkg/conflist/quarantine"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

// A confReport is a folder of configurations as conf shows it.
type confReport struct {
	Runtime   string        `json:"runtime"`
	title     string        // of the runtime, for people
	Dir       string        `json:"dir"`
	Effective string        `json:"effective"` // "" where the runtime loads nothing
	Network   string        `json:"network"`
	Intended  string        `json:"intended"` // "" where that is unknown
	Basis     assess.Basis  `json:"basis"`    // what decided it
	Error     string        `json:"error,omitempty"`
	How       []string      `json:"how,omitempty"` // how the node was found
	Files     []confFile    `json:"files"`
	Findings  []confFinding `json:"findings"`
}

type confFile struct {
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

// A confFinding is a problem with a file, or with the folder, and what to do about it.
type confFinding struct {
	Kind     assess.Kind `json:"kind"`
	File     string      `json:"file"`
	Role     assess.Role `json:"role,omitempty"` // of the file; "" where it is the folder
	Problem  string      `json:"problem"`
	Evidence string      `json:"evidence,omitempty"`
	Pods     string      `json:"pods,omitempty"`    // what it means for pods
	Keep     string      `json:"keep,omitempty"`    // the file that must stay
	Command  string      `json:"command,omitempty"` // what to run
	Remedy   string      `json:"remedy,omitempty"`  // what to do where no command does it
	Minor    bool        `json:"minor,omitempty"`
	Unknown  bool        `json:"unknown,omitempty"`
}

// report shows an assessment. What is not to be read for it, it goes without: the
// records of the quarantine.
func (n *confNode) report(ctx context.Context, a assess.Assessment) confReport {
	s := a.Selection
	r := confReport{
		Runtime: n.runtime.Kind.String(), title: n.runtime.Kind.DisplayName(), Dir: n.dir, Intended: a.Intended, Basis: a.Basis, How: n.how,
		Files: []confFile{}, Findings: []confFinding{},
	}
	if e := s.Effective(); e != nil {
		r.Effective, r.Network = e.Name, e.Network
	}
	if s.Err != nil {
		r.Error = s.Err.Error()
	}
	away := inQuarantine(n.dir)
	for _, f := range a.Files {
		r.Files = append(r.Files, confFile{f.Name, f.Verdict, f.Role, f.Why, f.Reason, f.Author, f.Network, f.CNIVersion, f.Plugins, f.DropIns, f.ModTime})
	}
	for _, f := range s.Files {
		if f.Verdict == conflist.NotLoadable {
			r.Files = append(r.Files, confFile{Name: f.Name, Verdict: f.Verdict, Reason: cmp.Or(away[f.Name], f.Reason), ModTime: f.ModTime})
		}
	}
	for _, p := range a.Problems {
		r.Findings = append(r.Findings, confFinding{
			Kind: p.Kind, File: n.pathOrDir(p.File), Role: a.Role(p.File), Problem: p.What, Evidence: p.Evidence, Pods: p.Impact,
			Keep: p.MustStay, Command: p.Command, Remedy: p.Remedy, Minor: p.Minor, Unknown: p.Unknown,
		})
	}
	for _, p := range n.besideFiles(ctx, a) {
		r.Findings = append(r.Findings, shownProblem(p))
	}
	r.Findings = append(r.Findings, entryFindings(a)...)
	return r
}

// exit returns what the program ends with: unknown is exit 2 where nothing else is
// wrong. Minor findings count for nothing.
func (r confReport) exit() error {
	code := 0
	for _, f := range r.Findings {
		switch {
		case f.Unknown:
			code = cli.ExitUnknown
		case !f.Minor:
			return cli.Exit(cli.ExitFindings)
		}
	}
	if code == 0 {
		return nil
	}
	return cli.Exit(code)
}

// inQuarantine gives, by name, what is known of the files that were put away.
func inQuarantine(dir string) map[string]string {
	records, err := quarantine.List(dir)
	if err != nil {
		return nil // the table says of them that no runtime loads them
	}
	reasons := map[string]string{}
	for _, r := range records {
		reasons[r.Quarantined] = "is in quarantine" + since(r)
		reasons[r.Quarantined+".record"] = "says why that is in quarantine"
	}
	return reasons
}

// since says when, by whom and why, as far as it is known.
func since(r quarantine.Record) string {
	if r.RecordError != "" {
		return "; " + r.RecordError
	}
	return fmt.Sprintf(" since %s UTC, by uid %d: %s", r.When.UTC().Format(time.DateTime), r.UID, r.Why)
}

// path names a file of the folder as a shell takes it.
func (n *confNode) path(name string) string { return printable.Word(filepath.Join(n.dir, name)) }

func (n *confNode) pathOrDir(name string) string {
	if name == "" {
		return n.dir
	}
	return n.path(name)
}
