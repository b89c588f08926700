// SPDX-License-Identifier: Apache-2.0

package assess

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// CheckQuarantine returns why files must not be put in quarantine together, nil if they
// may: pods need one of them, or would get another network, or none, without them. A
// rogue that is in use may go if the runtime selects the right file then.
func (a Assessment) CheckQuarantine(names ...string) error {
	if !a.judge.readable {
		return errors.New(a.Problems[0].What)
	}
	now, then := a.Selection.Effective(), a.Selection.Without(names...)
	next := then.Effective()
	for _, name := range names {
		if f := a.file(name); f.Role == Keep {
			return fmt.Errorf("%s must stay: it %s; %s", QuoteName(a.Selection.Path(name)), f.Why, describeWithout(then))
		}
	}
	switch {
	case now == nil && next == nil:
		if f := a.onlyValid(); f != "" && slices.Contains(names, f) {
			return fmt.Errorf("%s must stay: it is the only file here that the runtime could load; %s", QuoteName(a.Selection.Path(f)), describeWithout(then))
		}
		return nil
	case now == nil:
		return nil
	case next != nil && next.Name == now.Name:
		return nil
	case next != nil && a.Role(now.Name) == Rogue && a.judge.servesIntended(a.judge.find(next.Name)):
		return nil
	}
	return fmt.Errorf("%s must stay: %s selects %s (%s), and pods would lose that network; %s", QuoteName(a.Selection.Path(names[len(names)-1])),
		a.Selection.Runtime.Kind.DisplayName(), QuoteName(now.Name), DescribeNetwork(now.Network, now.Plugins), describeWithout(then))
}

// CheckRestore returns why a file must not come back from quarantine, nil if it may; from
// is its name there. It must not come back if it would take the place of the network that
// pods get, be attached beside it, or keep the runtime from loading any. The intended
// file may take its place again.
func (a Assessment) CheckRestore(from, name string, in Intent) error {
	if !a.judge.readable {
		return errors.New(a.Problems[0].What)
	}
	was, then := a.Selection.Effective(), Assess(a.Selection.WithRenamed(from, name), in)
	f := then.Selection.Find(name)
	if f == nil {
		return nil
	}
	runtime := a.Selection.Runtime.Kind.DisplayName()
	intended := then.Role(name) == Keep && then.Basis.isExplicit()
	switch {
	case then.Selection.Err != nil && f.Verdict == conflist.Invalid:
		return fmt.Errorf("%s would load nothing because of it, and no pod could start: it %s", runtime, f.Reason)
	case was == nil, intended && a.Role(was.Name) != Keep:
		return nil
	case f.Verdict == conflist.Selected && intended && then.Basis != ByGuard:
		return nil
	case f.Verdict == conflist.Selected:
		return fmt.Errorf("%s would select it (%s) instead of %s (%s)", runtime, DescribeNetwork(f.Network, f.Plugins), QuoteName(was.Name), DescribeNetwork(was.Network, was.Plugins))
	case f.Verdict == conflist.Attached:
		return fmt.Errorf("%s would attach pods to it (%s) beside %s (%s)", runtime, DescribeNetwork(f.Network, f.Plugins), QuoteName(was.Name), DescribeNetwork(was.Network, was.Plugins))
	}
	return nil
}

// QuarantineCommand returns the command that puts the rogue in quarantine; "" if no file
// is known to be one.
func (a Assessment) QuarantineCommand() string {
	for _, p := range a.Problems {
		if strings.HasPrefix(p.Command, "guardctl conf quarantine") {
			return p.Command
		}
	}
	return ""
}

// QuarantinePlan returns the files that QuarantineCommand names, those in use last; nil if
// no file is known to be a rogue that is in the way.
func (a Assessment) QuarantinePlan() []string {
	if a.judge == nil || a.QuarantineCommand() == "" {
		return nil
	}
	return a.judge.quarantinePlan()
}

// describeWithout says what the runtime would select without a file.
func describeWithout(then conflist.Selection) string {
	if e := then.Effective(); e != nil {
		return fmt.Sprintf("without it %s would select %s (%s)", then.Runtime.Kind.DisplayName(), QuoteName(e.Name), DescribeNetwork(e.Network, e.Plugins))
	}
	err := then.Err
	if err == nil {
		err = conflist.ErrNoNetwork
	}
	return "without it no pod could start: " + withoutPrefix(err)
}

// onlyValid returns the name of the only file that the runtime could load, "" if there
// are several, or none.
func (a Assessment) onlyValid() (only string) {
	for _, f := range a.Files {
		switch {
		case f.Verdict == conflist.Invalid:
		case only != "":
			return ""
		default:
			only = f.Name
		}
	}
	return only
}

// quarantinePlan returns the files to put in quarantine together, so that the runtime
// selects the right file and attaches no other, those in use last; nil if no choice does
// that.
func (j *judge) quarantinePlan() []string {
	if j.intended == nil {
		return nil
	}
	var names []string
	for range j.files {
		s := j.sel.Without(names...)
		next := j.firstObstacle(s)
		if next == nil {
			e := s.Effective()
			if e == nil || !j.servesIntended(j.find(e.Name)) {
				return nil
			}
			slices.Reverse(names)
			return names
		}
		if next.role != Rogue && !(next.role == Benign && next.isSample()) {
			return nil
		}
		names = append(names, next.name)
	}
	return nil
}

// firstObstacle returns the first file that keeps the runtime from selecting the right
// one, or is attached beside it.
func (j *judge) firstObstacle(s conflist.Selection) *file {
	for _, f := range s.Files {
		of := j.find(f.Name)
		switch {
		case of == nil:
		case f.Verdict == conflist.Selected && !j.isAcceptable(of), f.Verdict == conflist.Attached && of.role != Keep && !of.allowed:
			return of
		case f.Verdict == conflist.Invalid && s.Err != nil && s.Runtime.Kind == conflist.Containerd:
			return of
		}
	}
	return nil
}
