// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/cni-guard/cni-guard/pkg/checks"
)

// entryFindings says what is wrong with the entries of cni-guard in the files that
// pods get, as the check guard-placement does.
func (n *confNode) entryFindings() []confFinding {
	entries, err := checks.LoadedEntries(n.dir, n.runtime)
	if err != nil {
		return nil // the report says that the folder cannot be read
	}
	var all []confFinding
	for _, e := range entries {
		for _, f := range e.Findings() {
			all = append(all, confFinding{Kind: "guard-entry", File: e.Path, Problem: f.Problem, Remedy: f.Remedy, Minor: f.Minor})
		}
	}
	return all
}
