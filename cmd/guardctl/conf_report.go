// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/quarantine"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

// A confReport is a folder of configurations as conf shows it.
type confReport struct {
	Runtime   string        `json:"runtime"`
	Dir       string        `json:"dir"`
	Effective string        `json:"effective"` // "" where the runtime loads nothing
	Network   string        `json:"network"`
	Error     string        `json:"error,omitempty"` // why the runtime loads nothing
	How       []string      `json:"how,omitempty"`   // why we think so
	Files     []confFile    `json:"files"`
	Findings  []confFinding `json:"findings"`
	// Sure says that it is known which network is the right one: the guard is in
	// the file to keep, or was.
	Sure bool `json:"sure"`
}

type confFile struct {
	Name       string           `json:"name"`
	Verdict    conflist.Verdict `json:"verdict"`
	Role       role             `json:"role,omitempty"`
	Reason     string           `json:"reason"`
	Network    string           `json:"network,omitempty"`
	CNIVersion string           `json:"cniVersion,omitempty"`
	Plugins    []string         `json:"plugins,omitempty"`
	DropIns    []string         `json:"dropIns,omitempty"`
	ModTime    time.Time        `json:"modTime,omitzero"`
}

// A confFinding is a file, or the folder, and what to do about it.
type confFinding struct {
	File    string `json:"file"`
	Role    role   `json:"role,omitempty"` // of the file; "" where it is the folder
	Problem string `json:"problem"`
	Keep    string `json:"keep,omitempty"`    // the file to keep
	Command string `json:"command,omitempty"` // what to run
	Remedy  string `json:"remedy,omitempty"`  // what to do where no command does it
	Minor   bool   `json:"minor,omitempty"`   // it harms no pod, and does not count for the exit code
}

// report judges a selection. What is not to be read for it, it goes without: the
// guard's own configuration, and the records of the quarantine.
func (n *confNode) report(s conflist.Selection) confReport {
	r := confReport{Runtime: n.runtime.Kind.String(), Dir: n.dir, How: n.how, Files: []confFile{}, Findings: []confFinding{}}
	if e := s.Effective(); e != nil {
		r.Effective, r.Network = e.Name, e.Network
	}
	keep := keeper(s, n.installed)
	all := roles(s, keep, n.allowed(keep))
	r.Sure = keep != nil && (guarded(keep) || keep.Name == n.installed || s.Effective() != nil && leftBehind(s.Effective()))
	if s.Err != nil {
		r.Error = s.Err.Error()
		r.Findings = append(r.Findings, confFinding{File: n.dir, Problem: r.Error, Remedy: remedyForNone(s)})
	}
	away := inQuarantine(n.dir)
	for i, f := range s.Files {
		shown := confFile{f.Name, f.Verdict, all[i], cmp.Or(away[f.Name], f.Reason), f.Network, f.CNIVersion, f.Plugins, f.DropIns, f.ModTime}
		r.Files = append(r.Files, shown)
		if all[i] == roleRogue {
			r.Findings = append(r.Findings, n.finding(f, keep))
		}
	}
	r.Findings = append(r.Findings, n.goneFinding(s)...)
	r.Findings = append(r.Findings, n.ownFindings(s, keep, n.allowed(keep))...)
	r.Findings = append(r.Findings, n.missingFindings(s)...)
	r.Findings = append(r.Findings, n.entryFindings()...)
	return r
}

// allowed gives the names that the operator allowed for in the guard's entry.
func (n *confNode) allowed(keep *conflist.File) []string {
	if keep == nil || !guarded(keep) {
		return nil
	}
	e, err := readGuardEntry(n.dir, keep.Name)
	if err != nil {
		return nil
	}
	return e.Options.Conflist.Allow
}

func (n *confNode) finding(f conflist.File, keep *conflist.File) confFinding {
	words := []string{"it " + f.Reason, "it has " + networkAndPlugins(&f)}
	if !f.ModTime.IsZero() {
		words = append(words, "is there since "+f.ModTime.UTC().Format(time.DateTime)+" UTC")
	}
	if who := checks.ProbableAuthor(f); who != "" {
		words = append(words, "was probably written by "+who)
	}
	c := confFinding{File: n.path(f.Name), Role: roleRogue, Problem: strings.Join(words, "; "), Command: "guardctl conf quarantine " + n.path(f.Name)}
	if keep != nil {
		c.Keep = n.path(keep.Name)
	}
	return c
}

func remedyForNone(s conflist.Selection) string {
	for _, f := range s.Files {
		if f.Verdict == conflist.Invalid {
			return "correct the file if it is the one of your network plugin, and put it in quarantine if it is not"
		}
	}
	return "see whether the network plugin is installed; guardctl conf quarantined shows what was put away here"
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
	if r.Trouble != "" {
		return "; " + r.Trouble
	}
	return fmt.Sprintf(" since %s UTC, by uid %d: %s", r.When.UTC().Format(time.DateTime), r.UID, r.Why)
}

func networkAndPlugins(f *conflist.File) string {
	if f.Network == "" && len(f.Plugins) == 0 {
		return "no network that can be read"
	}
	return fmt.Sprintf("network %q, plugins %s", f.Network, strings.Join(f.Plugins, ", "))
}

// path names a file of the folder as a shell takes it.
func (n *confNode) path(name string) string { return inShell(filepath.Join(n.dir, name)) }

// inShell quotes a word for a shell where it must be.
func inShell(word string) string { return printable.Word(word) }
