// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"io"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/cli"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
	"github.com/cni-guard/cni-guard/pkg/conflist/quarantine"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

func confQuarantineCommand(on *confNode) *cobra.Command {
	var why string
	var force bool
	cmd := &cobra.Command{
		Use:   "quarantine FILE...",
		Short: "Put network configurations away, so that no runtime loads them",
		Long: "Quarantine renames a file within its folder to a name that no runtime loads, with a\n" +
			"record of when, why and by whom. Nothing is lost: guardctl conf restore undoes it.\n\n" +
			"Without --force-effective it refuses a file that must stay, and one without which\n" +
			"pods would get another network, or none. It accepts a rogue that is in use if the\n" +
			"runtime then takes the intended file. Of several files it moves those in use last.",
		Example: "  guardctl conf quarantine /etc/cni/net.d/05-leftover.conf --why 'left behind by the trial of weave'",
		Args:    cli.SomeArgs("FILE", "guardctl conf"),
	}
	cmd.Flags().StringVar(&why, "why", "", "the reason, for the record")
	cmd.Flags().BoolVar(&force, "force-effective", false, "put the file away though pods get its network")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		names, err := on.findWith(args...)
		if err != nil {
			return err
		}
		if !force {
			if err := on.mayGo(names); err != nil {
				return err
			}
		}
		for _, name := range names {
			r, err := quarantine.Put(on.dir, name, quarantine.Note{When: time.Now(), Why: cmp.Or(why, "guardctl conf quarantine"), UID: operator()})
			if err != nil {
				return &cli.ExitError{Code: cli.ExitUnknown, Err: err}
			}
			printable.Fprintf(cmd.OutOrStdout(), "%s is in quarantine as %s\n", on.path(name), r.Quarantined)
			printable.Fprintf(cmd.OutOrStdout(), "to undo: guardctl conf restore %s\n", on.path(name))
		}
		return on.sayWhatIsTaken(cmd.OutOrStdout())
	}
	return cmd
}

// mayGo refuses to take away what pods need, and says which file may be meant.
func (n *confNode) mayGo(names []string) error {
	a, err := n.assess()
	if err != nil {
		return n.couldNotRead(err)
	}
	there := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return a.Selection.Find(name) == nil })
	if len(there) == 0 {
		return nil // for the quarantine to say
	}
	if err := a.CheckQuarantine(there...); err != nil {
		hint := "guardctl conf shows all files and their roles; --force-effective if you are sure that it is the wrong one"
		if instead := a.QuarantineCommand(); instead != "" {
			hint = instead + " puts the rogue away; --force-effective if you are sure that it is the other way round"
		}
		return &cli.ExitError{Code: cli.ExitUnknown, Err: err, Hint: hint}
	}
	return nil
}

// operator gives the user who decides, though sudo made him root.
func operator() int {
	if uid, err := strconv.Atoi(os.Getenv("SUDO_UID")); err == nil && os.Getuid() == 0 {
		return uid
	}
	return os.Getuid()
}

// sayWhatIsTaken tells what the runtime makes of the folder now.
func (n *confNode) sayWhatIsTaken(w io.Writer) error {
	s, err := conflist.Select(n.dir, n.runtime)
	if err != nil {
		return err
	}
	if e := s.Effective(); e != nil {
		_, err = printable.Fprintf(w, "%s takes %s now (%s)\n", n.runtime.Kind.DisplayName(), printable.String(e.Name), assess.DescribeNetwork(e.Network, e.Plugins))
		return err
	}
	return &cli.ExitError{Code: cli.ExitFindings, Err: s.Err, Hint: "guardctl conf shows what is wrong with each file"}
}
