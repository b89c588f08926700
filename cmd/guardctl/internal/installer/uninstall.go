// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// Grace is how long the plugin stays when nothing names it any more: more than
// the four minutes that kubelet gives a runtime to start a pod, so that one which
// began with the old list ends before. A runtime that did not notice the new list
// calls the plugin, and every call begins the time anew.
const Grace = 5 * time.Minute

// Uninstall plans to take the guard out of every list of the conf dir, to put
// back what install put away, and to let the plugin pass everything through; and,
// when nothing has named or called it for the time of grace, to remove it.
func Uninstall(r Request) (Plan, error) {
	var p Plan
	r.Placement = Inline
	if err := r.absolute(); err != nil {
		return p, err
	}
	record, err := r.recorded()
	if err != nil {
		return p, err
	}
	changes, err := r.withdraw(&p, record)
	if err != nil {
		return p, err
	}
	if err := r.staysUp(changes); err != nil {
		return p, err
	}
	if err := r.mayRemove(); err != nil {
		return p, err
	}
	others := r.guardedElsewhere()
	if marker := r.marker(); len(changes) > 0 && exists(marker) && len(others) == 0 { // of an earlier time, which must not count
		p.step(func() error { return mark(marker) }, "renew %s", marker)
	}
	for _, c := range changes {
		p.Steps = append(p.Steps, c.steps...)
	}
	p.sweep(r)
	if len(others) > 0 {
		p.note("the programs stay, and guard: they are named in another conf dir, by %s", few(others))
		return p, nil
	}
	if err := p.planOldLoopback(r); err != nil {
		return p, err
	}
	p.planRemoval(r, len(changes) > 0)
	return p, nil
}

// staysUp makes sure that the runtime selects a network afterwards, and the same
// one, if it does so now.
func (r Request) staysUp(changes []change) error {
	now, err := r.effective(nil)
	if err != nil || len(changes) == 0 {
		return nil // the node has no network as it is: nothing is lost
	}
	then, err := r.effective(changesOf(changes))
	if err != nil {
		return fmt.Errorf("take the guard out: the runtime would select nothing: %w; nothing was changed: put the primary plugin's file back first", err)
	}
	if then.Network != now.Network {
		return fmt.Errorf("take the guard out: pods would get network %q, of %s, instead of %q; nothing was changed: see guardctl conf", then.Network, then.Name, now.Network)
	}
	return nil
}

// listed returns the loadable lists of the conf dir that have the guard. A list that
// does not parse is among them if it looks so, for whoever edits it to report. A conf
// dir that is gone has none.
func (r Request) listed() ([]string, error) {
	if !isFolder(r.Site.ConfDir) {
		return nil, nil
	}
	all, err := conflist.Names(r.Site.ConfDir)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, name := range all {
		if path := filepath.Join(r.Site.ConfDir, name); filepath.Ext(name) == ".conflist" && guarded(path) {
			found = append(found, path)
		}
	}
	return found, nil
}

// guarded reports whether a list has the guard's entry.
func guarded(path string) bool {
	doc, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	l, err := conflist.Parse("x.conflist", doc)
	if err != nil {
		return namesGuard(doc)
	}
	return l.Guarded()
}
