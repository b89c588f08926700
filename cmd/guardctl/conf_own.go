// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// ownFile is the copy of the primary plugin's list that guardctl install
// --placement own writes.
const ownFile = "00-cni-guard.conflist"

// leftBehind tells that copy without the guard: it has no use, and wins.
func leftBehind(f *conflist.File) bool { return f.Name == ownFile && isValid(f) && !guarded(f) }

// isOwn tells that copy as it should be.
func isOwn(f *conflist.File) bool { return f != nil && f.Name == ownFile && guarded(f) }

// original gives the file that our copy was made of, which is of the same network;
// nil where that is gone, or of another network.
func original(s conflist.Selection, own *conflist.File) *conflist.File {
	for i := range s.Files {
		if f := &s.Files[i]; f.Name != ownFile && isValid(f) && f.Network == own.Network {
			return f
		}
	}
	return nil
}

// successor gives the file that pods would get without our copy, where that
// outlived its original: another network plugin was installed meanwhile. Nil where
// it did not, or nothing else is there.
func successor(s conflist.Selection, keep *conflist.File, allow []string) *conflist.File {
	if !isOwn(keep) || keep.Verdict != conflist.Selected || original(s, keep) != nil {
		return nil
	}
	for i := range s.Files {
		f := &s.Files[i]
		if f != keep && isValid(f) && !checks.Harmless(f.Name) && !f.OnlyLoopback() && !matches(allow, f.Name) {
			return f
		}
	}
	return nil
}

// ownFindings says what is wrong with our copy.
func (n *confNode) ownFindings(s conflist.Selection, keep *conflist.File, allow []string) []confFinding {
	if !isOwn(keep) {
		return nil
	}
	if f := successor(s, keep, allow); f != nil {
		return []confFinding{{
			File: n.path(ownFile), Role: roleUnknown,
			Problem: fmt.Sprintf("it is the copy of a file of network %q that is no longer there, and still decides; without it pods would get %s (%s)", keep.Network, n.path(f.Name), networkAndPlugins(f)),
			Remedy:  fmt.Sprintf("if %s is of the network plugin that this node has now, run guardctl conf quarantine --force-effective %s, and then guardctl install; if not, put the file of network %q back, and %s in quarantine", n.path(f.Name), n.path(ownFile), keep.Network, n.path(f.Name)),
		}}
	}
	its := original(s, keep)
	if its == nil {
		return nil
	}
	mine, err := conflist.Look(s.Dir, ownFile, s.Runtime)
	if err != nil {
		return nil // the table has why
	}
	theirs, err := conflist.Look(s.Dir, its.Name, s.Runtime)
	if err != nil {
		return nil
	}
	how := mine.Differs(theirs)
	if how == "" {
		return nil
	}
	return []confFinding{{
		File: n.path(ownFile), Role: roleKeep, Command: "guardctl install --placement own",
		Problem: fmt.Sprintf("it is the copy with cni-guard in it, and differs from %s, which was changed since: it %s, and pods get what is in the copy", n.path(its.Name), how),
	}}
}
