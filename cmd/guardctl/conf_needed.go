// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// mayGo refuses to take away what pods need, and says which file is which.
func (n *confNode) mayGo(name string) error {
	now, err := conflist.Select(n.dir, n.runtime)
	if err != nil {
		return err
	}
	then, err := conflist.Without(n.dir, n.runtime, name)
	if err != nil {
		return err
	}
	f := fileOf(now, name)
	if f == nil || !n.needed(now, then, f) {
		return nil
	}
	return &exitError{
		code: cannotTell,
		err:  fmt.Errorf("KEEP %s: %s; %s", n.path(name), n.importance(now, f), n.foretell(then)),
		hint: n.whichInstead(now, f),
	}
}

// needed tells whether a file is the right one, or whether pods would get
// something else, or nothing, without it; unless it is known that they get the
// wrong thing with it.
func (n *confNode) needed(now, then conflist.Selection, f *conflist.File) bool {
	was, becomes := now.Effective(), then.Effective()
	switch {
	case n.roleOf(now, f) == roleKeep:
		return true
	case was == nil:
		return isValid(f) && becomes == nil && onlyValid(now)
	case becomes == nil:
		return true
	case was.Name != f.Name:
		return was.Name != becomes.Name
	}
	return n.roleOf(now, f) != roleRogue || n.roleOf(now, fileOf(now, becomes.Name)) != roleKeep
}

// roles judges the files, each in its place.
func (n *confNode) roles(s conflist.Selection) []role {
	keep := keeper(s, n.installed)
	return roles(s, keep, n.allowed(keep))
}

func (n *confNode) roleOf(s conflist.Selection, f *conflist.File) role {
	for i, r := range n.roles(s) {
		if s.Files[i].Name == f.Name {
			return r
		}
	}
	return roleNone
}

func onlyValid(s conflist.Selection) bool {
	valid := 0
	for i := range s.Files {
		if isValid(&s.Files[i]) {
			valid++
		}
	}
	return valid == 1
}

func (n *confNode) importance(s conflist.Selection, f *conflist.File) string {
	switch {
	case f.Verdict == conflist.Selected || f.Verdict == conflist.Attached:
	case guarded(f), f.Name == n.installed:
		return fmt.Sprintf("it is the guard's file, which %s is to take (%s)", n.runtime.Kind, networkAndPlugins(f))
	case s.Effective() == nil:
		return fmt.Sprintf("it is the only file here that %s could load (%s)", n.runtime.Kind, networkAndPlugins(f))
	default:
		return fmt.Sprintf("it belongs to %s, which %s takes (%s)", s.Effective().Name, n.runtime.Kind, networkAndPlugins(f))
	}
	return fmt.Sprintf("it is what %s takes, and the network of every pod (%s)", n.runtime.Kind, networkAndPlugins(f))
}

// foretell says what the runtime would select without the file.
func (n *confNode) foretell(then conflist.Selection) string {
	if e := then.Effective(); e != nil {
		return fmt.Sprintf("without it %s would select %s (%s)", n.runtime.Kind, e.Name, networkAndPlugins(e))
	}
	return fmt.Sprintf("without it no pod could start: %v", then.Err)
}

// whichInstead names the files that may be meant.
func (n *confNode) whichInstead(s conflist.Selection, f *conflist.File) string {
	const sure = "--force-effective if you are sure that it is the wrong one"
	for i, r := range n.roles(s) {
		if other := &s.Files[i]; r == roleRogue && other.Name != f.Name {
			return fmt.Sprintf("the ROGUE is %s (%s): guardctl conf quarantine %s; or %s", other.Name, networkAndPlugins(other), n.path(other.Name), sure)
		}
	}
	return "guardctl conf shows all files, and which is the ROGUE; " + sure
}

func fileOf(s conflist.Selection, name string) *conflist.File {
	for i := range s.Files {
		if s.Files[i].Name == name && s.Files[i].Verdict != conflist.NotLoadable {
			return &s.Files[i]
		}
	}
	return nil
}
