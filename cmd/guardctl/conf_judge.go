// SPDX-License-Identifier: Apache-2.0

package main

import (
	"path"
	"slices"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// A role is what is to be done with a file.
type role string

const (
	roleKeep    role = "KEEP"
	roleRogue   role = "ROGUE"
	roleAllowed role = "allowed" // may lie there
	roleUnknown role = "?"       // nobody can tell: nothing is in use, and nowhere is the guard
	roleNone    role = ""        // no runtime loads it
)

// roles judges the files of a folder, each in its place, beside the one to keep.
// What is allowed for is the same as in the check conflist; allow are its patterns
// that the operator configured.
func roles(s conflist.Selection, keep *conflist.File, allow []string) []role {
	all := make([]role, len(s.Files))
	outlived := successor(s, keep, allow) != nil
	for i := range s.Files {
		switch f := &s.Files[i]; {
		case f.Verdict == conflist.NotLoadable:
		case outlived && isValid(f) && (f == keep || !matches(allow, f.Name) && !mayWait(s, f, keep)):
			all[i] = roleUnknown
		case f == keep, keep != nil && handsOn(s, f, keep):
			all[i] = roleKeep
		case matches(allow, f.Name), mayWait(s, f, keep):
			all[i] = roleAllowed
		case keep == nil && isValid(f):
			all[i] = roleUnknown
		default:
			all[i] = roleRogue
		}
	}
	return all
}

// keeper gives the file whose network pods are to have: the one in use if the
// guard is in it, else the first valid one with the guard, else the one that the
// guard was installed into, which lost it since, else the one in use; but never the
// guard's own copy of another when the guard is gone from it.
func keeper(s conflist.Selection, installed string) *conflist.File {
	effective := s.Effective()
	if effective != nil && guarded(effective) {
		return effective
	}
	var valid []*conflist.File
	for _, wanted := range []func(*conflist.File) bool{isValid, func(*conflist.File) bool { return true }} {
		for i := range s.Files {
			if f := &s.Files[i]; guarded(f) && wanted(f) {
				return f
			}
		}
	}
	if f := fileOf(s, installed); f != nil && !leftBehind(f) {
		return f
	}
	if effective != nil && !leftBehind(effective) {
		return effective
	}
	if effective != nil {
		if f := original(s, effective); f != nil {
			return f
		}
	}
	for i := range s.Files {
		if f := &s.Files[i]; isValid(f) && !leftBehind(f) && !checks.Harmless(f.Name) && !f.OnlyLoopback() {
			valid = append(valid, f)
		}
	}
	if len(valid) == 1 {
		return valid[0]
	}
	return nil // nobody can tell
}

// mayWait tells of a file that does no harm today that it rightly lies there.
func mayWait(s conflist.Selection, f, keep *conflist.File) bool {
	if f.Verdict != conflist.Shadowed && f.Verdict != conflist.Invalid || s.Err != nil && f.Verdict == conflist.Invalid {
		return false
	}
	return checks.Harmless(f.Name) || isValid(f) && f.OnlyLoopback() || isCopy(s, f, keep)
}

// isCopy tells the list of the primary plugin that ours was made from. Our own copy
// is of whatever file has its network, though that was changed since.
func isCopy(s conflist.Selection, f, keep *conflist.File) bool {
	if keep == nil || !isValid(f) || !guarded(keep) || f.Network != keep.Network {
		return false
	}
	if isOwn(keep) {
		return true
	}
	l, err := conflist.Look(s.Dir, f.Name, s.Runtime)
	ours, oursErr := conflist.Look(s.Dir, keep.Name, s.Runtime)
	return err == nil && oursErr == nil && l.CopyOf(ours)
}

func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, _ := path.Match(p, name) // the pattern was checked when it was read
		return ok
	})
}

func guarded(f *conflist.File) bool { return slices.Contains(f.Plugins, conflist.GuardType) }

// isValid tells a file that the runtime could load.
func isValid(f *conflist.File) bool {
	return f.Verdict == conflist.Selected || f.Verdict == conflist.Attached || f.Verdict == conflist.Shadowed
}
