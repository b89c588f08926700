// SPDX-License-Identifier: Apache-2.0

package checks

import "github.com/cni-guard/cni-guard/pkg/guard"

// The bounds of what is looked at and told. What waits is read to describe it, and
// is no reason for a pod to wait for the reading of a whole folder.
const (
	described  = 3
	lookedAt   = described // of those that wait, while a pod does
	namedAtAll = 5
)

// rivals are the files that are not right.
type rivals struct {
	serious []rival  // do harm today
	minor   []rival  // may one day
	passing []rival  // were written just now, and refuse nothing
	unread  []string // could one day, and are too many to read
	refuses bool     // a pod is refused for each, and not for the serious only
}

// judge compares the file with the guard with all others.
func (f *folder) judge(t *Target) []guard.Finding {
	all := f.rivals(t)
	findings := f.ownFindings()
	if all.refuses {
		findings = append(findings, f.describe(append(all.serious, all.minor...), all.unread, false)...)
		return append(findings, f.describe(all.passing, nil, true)...)
	}
	findings = append(findings, f.describe(all.serious, nil, false)...)
	return append(findings, f.describe(append(all.passing, all.minor...), all.unread, true)...)
}

// rivals gives the files that are not right. Those that only wait are unread beyond
// the first few.
func (f *folder) rivals(t *Target) (all rivals) {
	budget := len(f.names)
	if f.ran {
		budget = lookedAt
	}
	all.refuses = t.Options.Conflist.Scope == ScopeAny
	delegated := false // of a file of Multus that has the guard
	for i, name := range f.names {
		if i == f.own || t.Options.Conflist.Allow.match(name) {
			continue
		}
		r := f.rival(i)
		if r.harm < harmUncertain && harmless(name) {
			continue
		}
		if !r.read && budget > 0 {
			budget--
			r.looked, r.read = f.look(name), true
		}
		if r.harm == harmWaits && !delegated && f.isDelegate(r) {
			delegated = true
			continue
		}
		all.add(f, r)
	}
	return all
}

// add sorts a rival in.
func (all *rivals) add(f *folder, r rival) {
	if r.harm == harmNone || r.read && r.harm < harmUncertain && (r.loopbackOnly() || r.isCopyOf(f.mine)) {
		return
	}
	if !r.read && !all.refuses {
		all.unread = append(all.unread, r.name)
		return
	}
	switch gone, fresh := f.passing(r); {
	case gone, fresh && !r.read: // the next pod sees what it is
	case fresh:
		r.passes = true
		all.passing = append(all.passing, r)
	case !r.read:
		all.unread = append(all.unread, r.name)
	case r.harm.serious():
		all.serious = append(all.serious, r)
	default:
		all.minor = append(all.minor, r)
	}
}
