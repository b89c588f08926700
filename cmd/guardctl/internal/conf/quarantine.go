// SPDX-License-Identifier: Apache-2.0

package conf

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/cli"
	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/node"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
	"github.com/cni-guard/cni-guard/pkg/conflist/quarantine"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

func quarantineCommand(on *node.Node) *cobra.Command {
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
		names, err := on.FindFiles(cmd.Context(), args...)
		if err != nil {
			return err
		}
		if !force {
			if err := mayGo(on, names); err != nil {
				return err
			}
		}
		for _, name := range names {
			r, err := quarantine.Put(on.Site.ConfDir, name, quarantine.Note{When: time.Now(), Why: cmp.Or(why, "guardctl conf quarantine"), UID: operator()})
			if err != nil {
				return &cli.ExitError{Code: cli.ExitUnknown, Err: err}
			}
			printable.Fprintf(cmd.OutOrStdout(), "%s is in quarantine as %s\n", path(on, name), r.Quarantined)
			printable.Fprintf(cmd.OutOrStdout(), "to undo: guardctl conf restore %s\n", path(on, name))
		}
		return sayWhatIsTaken(on, cmd.OutOrStdout())
	}
	return cmd
}

// mayGo refuses to take away what pods need, and says which file may be meant.
func mayGo(n *node.Node, names []string) error {
	a, err := n.Assess()
	if err != nil {
		return cli.Denied(err)
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
func sayWhatIsTaken(n *node.Node, w io.Writer) error {
	s, err := conflist.Select(n.Site.ConfDir, n.Site.Runtime)
	if err != nil {
		return err
	}
	if e := s.Effective(); e != nil {
		_, err = printable.Fprintf(w, "%s takes %s now (%s)\n", n.Site.Runtime.Kind.DisplayName(), printable.String(e.Name), assess.DescribeNetwork(e.Network, e.Plugins))
		return err
	}
	return &cli.ExitError{Code: cli.ExitFindings, Err: s.Err, Hint: "guardctl conf shows what is wrong with each file"}
}

func restoreCommand(on *node.Node) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Bring a network configuration back from quarantine",
		Long: "Restore gives a file its name back. FILE is its old name or, where several files\n" +
			"of that name are in quarantine, its name there.\n\n" +
			"Restore never overwrites a file. Without --force it refuses a file that was changed\n" +
			"in quarantine, or that would replace the network that pods get, be attached beside\n" +
			"it, or keep containerd from loading any.",
		Example: "  guardctl conf restore 05-leftover.conf",
		Args:    cli.OneArg("FILE", "guardctl conf list"),
	}
	cmd.Flags().BoolVar(&force, "force", false, "bring the file back though it has changed, or changes what pods get")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		names, err := on.FindFiles(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		name := names[0]
		if !force {
			if err := mayReturn(on, name); err != nil {
				return err
			}
		}
		r, err := quarantine.Restore(on.Site.ConfDir, name, force)
		if err != nil {
			return &cli.ExitError{Code: cli.ExitUnknown, Err: err}
		}
		printable.Fprintf(cmd.OutOrStdout(), "%s is back\n", path(on, r.File))
		return sayWhatIsTaken(on, cmd.OutOrStdout())
	}
	return cmd
}

// mayReturn refuses to bring back what would take the place of the network that
// pods have, be attached beside it, or keep the runtime from loading any.
func mayReturn(n *node.Node, name string) error {
	r, err := meant(n, name)
	if err != nil || r.File == "" {
		return err
	}
	a, err := n.Assess()
	if err != nil {
		return cli.Denied(err)
	}
	if err := a.CheckRestore(r.Quarantined, r.File, n.Intent(a.Selection)); err != nil {
		return &cli.ExitError{
			Code: cli.ExitUnknown,
			Err:  fmt.Errorf("restore %s: %w", path(n, r.File), err),
			Hint: "correct " + path(n, r.Quarantined) + " first if it is wrong; --force brings it back as it is",
		}
	}
	return nil
}

// meant returns the one file in quarantine that a name stands for; none where it is
// not clear, which is for the quarantine to say.
func meant(n *node.Node, name string) (r quarantine.Record, err error) {
	records, err := quarantine.List(n.Site.ConfDir)
	if err != nil {
		return r, err
	}
	found := 0
	for _, other := range records {
		if other.Quarantined == name {
			return other, nil
		}
		if other.File == name {
			r, found = other, found+1
		}
	}
	if found != 1 {
		return quarantine.Record{}, nil
	}
	return r, nil
}

func listCommand(on *node.Node) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"quarantined"},
		Short:   "List what lies in quarantine: since when, why and by whom",
		Args:    cli.NoArgs,
	}
	output := cli.OutputFlag(cmd, "text", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := on.Find(cmd.Context()); err != nil {
			return err
		}
		records, err := quarantine.List(on.Site.ConfDir)
		switch {
		case err != nil:
			return err
		case output.JSON():
			return cli.PrintJSON(cmd.OutOrStdout(), append([]quarantine.Record{}, records...))
		case len(records) == 0:
			printable.Fprintf(cmd.ErrOrStderr(), "nothing is in quarantine in %s\n", printable.String(on.Site.ConfDir))
			return nil
		}
		t := cli.NewTable("FILE", "IN QUARANTINE AS", "SINCE", "BY", "WHY")
		unreadable := false
		for _, r := range records {
			if r.RecordError != "" {
				unreadable = true
				t.Row(r.File, r.Quarantined, "?", "?", r.RecordError)
				continue
			}
			t.Row(r.File, r.Quarantined, r.When.Local().Format(time.DateTime), fmt.Sprintf("uid %d", r.UID), r.Why)
		}
		if _, err := io.WriteString(cmd.OutOrStdout(), t.String()); err != nil || !unreadable {
			return err
		}
		return &cli.ExitError{Code: cli.ExitUnknown, Err: errors.New("of some files nothing is known but the name"), Hint: "restore them with --force once you know what they are"}
	}
	return cmd
}
