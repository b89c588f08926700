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
		Args:    oneArg("FILE"),
	}
	cmd.Flags().StringVar(&why, "why", "", "the reason, for the record")
	cmd.Flags().BoolVar(&force, "force-effective", false, "put the file away though pods get its network")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		name, err := on.findWith(args[0])
		if err != nil {
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
