// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/cli"
	"github.com/cni-guard/cni-guard/pkg/conflist/quarantine"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

func confRestoreCommand(on *confNode) *cobra.Command {
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
		names, err := on.findWith(args[0])
		if err != nil {
			return err
		}
		name := names[0]
		if !force {
			if err := on.mayReturn(name); err != nil {
				return err
			}
		}
		r, err := quarantine.Restore(on.dir, name, force)
		if err != nil {
			return &cli.ExitError{Code: cli.ExitUnknown, Err: err}
		}
		printable.Fprintf(cmd.OutOrStdout(), "%s is back\n", on.path(r.File))
		return on.sayWhatIsTaken(cmd.OutOrStdout())
	}
	return cmd
}

// mayReturn refuses to bring back what would take the place of the network that
// pods have, be attached beside it, or keep the runtime from loading any.
func (n *confNode) mayReturn(name string) error {
	r, err := n.meant(name)
	if err != nil || r.File == "" {
		return err
	}
	a, err := n.assess()
	if err != nil {
		return n.couldNotRead(err)
	}
	if err := a.CheckRestore(r.Quarantined, r.File, n.intent(a.Selection)); err != nil {
		return &cli.ExitError{
			Code: cli.ExitUnknown,
			Err:  fmt.Errorf("restore %s: %w", n.path(r.File), err),
			Hint: "correct " + n.path(r.Quarantined) + " first if it is wrong; --force brings it back as it is",
		}
	}
	return nil
}

// meant returns the one file in quarantine that a name stands for; none where it is
// not clear, which is for the quarantine to say.
func (n *confNode) meant(name string) (r quarantine.Record, err error) {
	records, err := quarantine.List(n.dir)
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

func confListCommand(on *confNode) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"quarantined"},
		Short:   "List what lies in quarantine: since when, why and by whom",
		Args:    cli.NoArgs,
	}
	output := cli.OutputFlag(cmd, "text", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := on.find(); err != nil {
			return err
		}
		records, err := quarantine.List(on.dir)
		switch {
		case err != nil:
			return err
		case output.JSON():
			return cli.PrintJSON(cmd.OutOrStdout(), append([]quarantine.Record{}, records...))
		case len(records) == 0:
			printable.Fprintf(cmd.ErrOrStderr(), "nothing is in quarantine in %s\n", printable.String(on.dir))
			return nil
		}
		t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
		printable.Fprintf(t, "FILE\tIN QUARANTINE AS\tSINCE\tBY\tWHY\n")
		trouble := false
		for _, r := range records {
			if r.RecordError != "" {
				trouble = true
				printable.Fprintf(t, "%s\t%s\t?\t?\t%s\n", printable.String(r.File), printable.String(r.Quarantined), printable.String(r.RecordError))
				continue
			}
			printable.Fprintf(t, "%s\t%s\t%s\tuid %d\t%s\n", printable.String(r.File), printable.String(r.Quarantined), r.When.Local().Format(time.DateTime), r.UID, printable.String(r.Why))
		}
		if err := t.Flush(); err != nil || !trouble {
			return err
		}
		return &cli.ExitError{Code: cli.ExitUnknown, Err: errors.New("of some files nothing is known but the name"), Hint: "restore them with --force once you know what they are"}
	}
	return cmd
}
