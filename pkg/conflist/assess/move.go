// SPDX-License-Identifier: Apache-2.0

package assess

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// CheckQuarantine returns why files must not be put in quarantine together, nil if they may:
// pods need one of them, or would get another network, or none, without them. The one
// exception is a rogue that is in use, where the runtime takes the right file then.
func (a Assessment) CheckQuarantine(names ...string) error {
	if !a.judged.readable {
		return errors.New(a.Problems[0].What)
	}
	now, then := a.Selection.Effective(), a.Selection.Without(names...)
	becomes := then.Effective()
	for _, name := range names {
		if a.Role(name) == Keep {
			return fmt.Errorf("%s must stay: it %s; %s", QuoteName(a.Selection.Path(name)), a.why(name), a.foretell(then))
		}
	}
	last := names[len(names)-1]
	switch {
	case now == nil && becomes == nil:
		if f := a.onlyValid(); f != "" && slices.Contains(names, f) {
			return fmt.Errorf("%s must stay: it is the only file here that the runtime could load; %s", QuoteName(a.Selection.Path(f)), a.foretell(then))
		}
		return nil
	case now == nil:
		return nil
	case becomes != nil && becomes.Name == now.Name:
		return nil
	case becomes != nil && a.Role(now.Name) == Rogue && a.judged.serves(a.judged.find(becomes.Name)):
		return nil
	}
	return fmt.Errorf("%s must stay: %s takes %s (%s), and pods would lose that network; %s", QuoteName(a.Selection.Path(last)),
		a.Selection.Runtime.Kind.DisplayName(), QuoteName(now.Name), DescribeNetwork(now.Network, now.Plugins), a.foretell(then))
}

// CheckRestore returns why a file must not come back from quarantine, nil if it may; from
// is its name there. It must not where it would take the place of the network that
// pods get, be attached beside it, or keep the runtime from loading any; but the
// intended file may take its place again.
func (a Assessment) CheckRestore(from, name string, in Intent) error {
	if !a.judged.readable {
		return errors.New(a.Problems[0].What)
	}
	was, then := a.Selection.Effective(), Assess(a.Selection.WithRenamed(from, name), in)
	f := then.Selection.Find(name)
	if f == nil {
		return nil
	}
	kind := a.Selection.Runtime.Kind.DisplayName()
	switch {
	case then.Selection.Err != nil && f.Verdict == conflist.Invalid:
		return fmt.Errorf("%s would load nothing because of it, and no pod could start: it %s", kind, f.Reason)
	case was == nil, then.Role(name) == Keep && then.Basis.strong() && a.Role(was.Name) != Keep:
		return nil
	case f.Verdict == conflist.Selected && then.Role(name) == Keep && then.Basis.strong() && then.Basis != ByGuard:
		return nil
	case f.Verdict == conflist.Selected:
		return fmt.Errorf("%s would take it (%s) instead of %s (%s)", kind, DescribeNetwork(f.Network, f.Plugins), QuoteName(was.Name), DescribeNetwork(was.Network, was.Plugins))
	case f.Verdict == conflist.Attached:
		return fmt.Errorf("%s would attach pods to it (%s) beside %s (%s)", kind, DescribeNetwork(f.Network, f.Plugins), QuoteName(was.Name), DescribeNetwork(was.Network, was.Plugins))
	}
	return nil
}

// QuarantineCommand returns the command that puts the rogue away; "" where no file is known to
// be one.
func (a Assessment) QuarantineCommand() string {
	for _, p := range a.Problems {
		if strings.HasPrefix(p.Command, "guardctl conf quarantine") {
			return p.Command
		}
	}
	return ""
}

func (a Assessment) why(name string) string {
	for _, f := range a.Files {
		if f.Name == name {
			return f.Why
		}
	}
	return ""
}

// foretell says what the runtime would take.
func (a Assessment) foretell(then conflist.Selection) string {
	if e := then.Effective(); e != nil {
		return fmt.Sprintf("without it %s would take %s (%s)", then.Runtime.Kind.DisplayName(), QuoteName(e.Name), DescribeNetwork(e.Network, e.Plugins))
	}
	err := then.Err
	if err == nil {
		err = errors.New("the runtime loads no network")
	}
	return "without it no pod could start: " + plain(err)
}

// onlyValid returns the name of the only file that the runtime could load, "" where
// there are more, or none.
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
