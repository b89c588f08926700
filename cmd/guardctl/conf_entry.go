// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
)

// entryFindings returns what is wrong with the entries of cni-guard in the files that
// pods get or are to get. The check guard-placement has them from the same place.
func entryFindings(a assess.Assessment) []confFinding {
	var all []confFinding
	for _, e := range checks.LoadedEntries(a) {
		for _, f := range e.Findings() {
			all = append(all, confFinding{Kind: "guard-entry", File: e.Path, Problem: f.Problem, Remedy: f.Remedy, Minor: f.Minor})
		}
	}
	return all
}
