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

	"github.com/cni-guard/cni-guard/cmd/internal/cli"
	"github.com/cni-guard/cni-guard/cmd/internal/node"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
	"github.com/cni-guard/cni-guard/pkg/conflist/quarantine"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

func quarantineCommand(n *node.Node) *cobra.Command {
	var why string
	var force bool
	cmd := &cobra.Command{
		Use:   "quarantine FILE...",
		Short: "Move network configurations out of the way, so that no runtime loads them",
		Long: "Quarantine renames a file within its directory to a name that no runtime loads, and\n" +
			"records when, why and by whom. guardctl conf restore undoes it.\n\n" +
			"Without --force-effective it refuses a file that must stay, and one without which\n" +
			"pods would get another network or none. It accepts a rogue that is in use if the\n" +
			"runtime uses the intended file after that. Files in use are moved last.",
		Example: "  guardctl conf quarantine /etc/cni/net.d/05-leftover.conf --why 'left behind by weave'",
		Args:    cli.SomeArgs("FILE", "guardctl conf"),
	}
	cmd.Flags().StringVar(&why, "why", "", "reason to record")
	cmd.Flags().BoolVar(&force, "force-effective", false, "move the file even if pods get their network from it")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		names, err := n.FindFiles(cmd.Context(), args...)
		if err != nil {
			return err
		}
		if !force {
			if err := checkQuarantine(n, names); err != nil {
				return err
			}
		}
		for _, name := range names {
			r, err := quarantine.Put(n.Site.ConfDir, name, quarantine.Note{When: time.Now(), Why: cmp.Or(why, "guardctl conf quarantine"), UID: operator()})
			if err != nil {
				return cli.Unknown(err, "")
			}
			printable.Fprintf(cmd.OutOrStdout(), "%s is in quarantine as %s\n", path(n, name), r.Quarantined)
			printable.Fprintf(cmd.OutOrStdout(), "to undo: guardctl conf restore %s\n", path(n, name))
		}
		return printEffective(n, cmd.OutOrStdout())
	}
	return cmd
}

// checkQuarantine returns an error if pods need one of the files. Its hint names the file
// that should go instead.
func checkQuarantine(n *node.Node, names []string) error {
	a, err := n.Assess()
	if err != nil {
		return cli.Denied(err)
	}
	existing := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return a.Selection.Find(name) == nil })
	if len(existing) == 0 {
		return nil // quarantine.Put reports that the files do not exist
	}
	if err := a.CheckQuarantine(existing...); err != nil {
		hint := "guardctl conf shows all files and their roles; use --force-effective if you are sure that this is the wrong one"
		if instead := a.QuarantineCommand(); instead != "" {
			hint = instead + " puts the rogue away; use --force-effective if you are sure that it is the other way round"
		}
		return cli.Unknown(err, hint)
	}
	return nil
}

// operator returns the ID of the user who runs the command, not root if that is by sudo.
func operator() int {
	if uid, err := strconv.Atoi(os.Getenv("SUDO_UID")); err == nil && os.Getuid() == 0 {
		return uid
	}
	return os.Getuid()
}

// printEffective prints which file the runtime uses now. It returns an error if it loads
// none.
func printEffective(n *node.Node, w io.Writer) error {
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

func restoreCommand(n *node.Node) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Restore a network configuration from quarantine",
		Long: "Restore renames a file in quarantine to its original name. FILE is that name or, if\n" +
			"several files of that name are in quarantine, the name in quarantine.\n\n" +
			"Restore never overwrites a file. Without --force it refuses a file that was changed\n" +
			"in quarantine, and one that would replace the network of pods, be attached in\n" +
			"addition to it, or keep containerd from loading any network.",
		Example: "  guardctl conf restore 05-leftover.conf",
		Args:    cli.OneArg("FILE", "guardctl conf list"),
	}
	cmd.Flags().BoolVar(&force, "force", false, "restore the file even if it was changed, or changes what pods get")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		names, err := n.FindFiles(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		name := names[0]
		if !force {
			if err := checkRestore(n, name); err != nil {
				return err
			}
		}
		r, err := quarantine.Restore(n.Site.ConfDir, name, force)
		if err != nil {
			return cli.Unknown(err, "")
		}
		printable.Fprintf(cmd.OutOrStdout(), "%s is back\n", path(n, r.File))
		return printEffective(n, cmd.OutOrStdout())
	}
	return cmd
}

// checkRestore returns an error if the file would replace the network of pods, be attached
// in addition to it, or keep the runtime from loading any.
func checkRestore(n *node.Node, name string) error {
	r, err := find(n.Site.ConfDir, name)
	if err != nil || r.File == "" {
		return err
	}
	a, err := n.Assess()
	if err != nil {
		return cli.Denied(err)
	}
	if err := a.CheckRestore(r.Quarantined, r.File, n.Intent(a.Selection)); err != nil {
		return cli.Unknown(fmt.Errorf("restore %s: %w", path(n, r.File), err),
			"correct "+path(n, r.Quarantined)+" first if it is wrong; --force restores it as it is")
	}
	return nil
}

// find returns the file in quarantine with that name, original or in quarantine. The
// Record is zero if no file or several have it; quarantine.Restore reports that.
func find(dir, name string) (r quarantine.Record, err error) {
	records, err := quarantine.List(dir)
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

func listCommand(n *node.Node) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"quarantined"},
		Short:   "List the files in quarantine: since when, why and by whom",
		Args:    cli.NoArgs,
	}
	output := cli.OutputFlag(cmd, "text", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := n.Find(cmd.Context()); err != nil {
			return err
		}
		records, err := quarantine.List(n.Site.ConfDir)
		switch {
		case err != nil:
			return err
		case output.JSON():
			return cli.PrintJSON(cmd.OutOrStdout(), append([]quarantine.Record{}, records...))
		case len(records) == 0:
			printable.Fprintf(cmd.ErrOrStderr(), "no file is in quarantine in %s\n", printable.String(n.Site.ConfDir))
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
		return cli.Unknown(errors.New("some files have no readable record"), "restore them with --force once you know what they are")
	}
	return cmd
}
