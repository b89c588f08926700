// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/quarantine"
)

func confQuarantineCommand(on *confNode) *cobra.Command {
	var why string
	var force bool
	cmd := &cobra.Command{
		Use:   "quarantine FILE",
		Short: "Put a network configuration away, so that no runtime loads it",
		Long: "Quarantine renames a file within its folder to a name that no runtime loads, with a\n" +
			"record of when, why and by whom. Nothing is lost: restore is the way back.\n\n" +
			"It refuses the file that the runtime takes, and the only one that it could, for\n" +
			"pods would get another network, or none. A file that took the place of the one\n" +
			"with cni-guard in it is put away without further ado.",
		Example: "  guardctl conf quarantine /etc/cni/net.d/05-leftover.conf --why 'left behind by the trial of weave'",
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().StringVar(&why, "why", "", "the reason, for the record")
	cmd.Flags().BoolVar(&force, "force-effective", false, "put the file away though pods get its network")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		name, err := on.fileArg(args[0])
		if err != nil {
			return err
		}
		if err := on.find(); err != nil {
			return err
		}
		if !force {
			if err := on.mayGo(name); err != nil {
				return err
			}
		}
		r, err := quarantine.Put(on.dir, name, quarantine.Note{When: time.Now(), Why: cmp.Or(why, "guardctl conf quarantine"), UID: operator()})
		if err != nil {
			return &exitError{code: cannotTell, err: err}
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s is in quarantine as %s\n", on.path(name), r.Quarantined)
		fmt.Fprintf(cmd.OutOrStdout(), "to undo: guardctl conf restore %s\n", on.path(name))
		return on.sayWhatIsTaken(cmd.OutOrStdout())
	}
	return cmd
}

// operator gives the user who decides, though sudo made him root.
func operator() int {
	if uid, err := strconv.Atoi(os.Getenv("SUDO_UID")); err == nil && os.Getuid() == 0 {
		return uid
	}
	return os.Getuid()
}

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
	return !guarded(becomes) || n.roleOf(now, f) != roleRogue
}

func (n *confNode) roleOf(s conflist.Selection, f *conflist.File) role {
	for i, r := range roles(s, n.allowed(keeper(s))) {
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
	case guarded(f):
		return fmt.Sprintf("it is the file with cni-guard in it, which %s is to take (%s)", n.runtime.Kind, networkAndPlugins(f))
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
	for i, r := range roles(s, n.allowed(keeper(s))) {
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

// sayWhatIsTaken tells what the runtime makes of the folder now.
func (n *confNode) sayWhatIsTaken(w io.Writer) error {
	s, err := conflist.Select(n.dir, n.runtime)
	if err != nil {
		return err
	}
	if e := s.Effective(); e != nil {
		_, err = fmt.Fprintf(w, "%s selects %s now (%s)\n", n.runtime.Kind, e.Name, networkAndPlugins(e))
		return err
	}
	return &exitError{code: findings, err: s.Err, hint: "guardctl conf shows what is wrong with each file"}
}
