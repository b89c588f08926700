// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/cli"
	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/pluginquery"
	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/ledger"
	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

func doctorCommand() *cobra.Command {
	var repair bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look at the node, without a pod, and say what is wrong and what to do",
		Long: "Doctor runs the checks that need no pod: which configuration wins, whether the guard\n" +
			"stands where it guards, whether the peers of tunnels answer, whether lo is up. It\n" +
			"takes policies and options from the guard's entry in the configuration that wins,\n" +
			"or else in the first that has one.\n\n" +
			"It changes nothing without --repair. It exits with 0 when all is well, 1 on findings,\n" +
			"and 2 when there are none but something could not be told. Findings that do no harm\n" +
			"now are shown as minor, and do not count.",
		Example: "  guardctl doctor\n  guardctl doctor -o json --runtime crio",
		Args:    cli.NoArgs,
	}
	on := newConfNode(cmd)
	cmd.Flags().BoolVar(&repair, "repair", false, "mend what a check can mend, such as the node's lo")
	output := cli.OutputFlag(cmd, "text", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := on.find(); err != nil {
			return err
		}
		e, trouble := on.guardEntry()
		if trouble != nil {
			printable.Fprintln(cmd.ErrOrStderr(), "guardctl: warning:", trouble, "(for this look the defaults hold for what cannot be read)")
		}
		if !repair {
			e.Settings = withoutRepairs(e.Settings)
		}
		report, err := on.look(cmd, e)
		if err != nil {
			return err
		}
		if repair {
			recordRepairs(e.StateDir, report)
		}
		return on.printDoctor(cmd.OutOrStdout(), e, report, output)
	}
	return cmd
}

// guardEntry gives the guard's entry in the file that the runtime takes or, where
// that has none, in the first that has one; the defaults where there is none, and
// with an error where it cannot be read.
func (n *confNode) guardEntry() (guardEntry, error) {
	names, _ := conflist.Names(n.dir) // that the folder cannot be read is for a check to say
	if file, err := conflist.Effective(n.dir, n.runtime); err == nil {
		names = slices.Insert(names, 0, file.Name)
	}
	for _, name := range names {
		if e, err := readGuardEntry(n.dir, name); e.From != "" {
			return e, err
		}
	}
	return defaultEntry(), nil
}

// withoutRepairs leaves everything as it is.
func withoutRepairs(s guard.Settings) guard.Settings {
	no := false
	all := make(map[string]guard.Setting, len(checks.Names()))
	for _, name := range checks.Names() {
		setting := s.Checks[name]
		setting.Repair = &no
		all[name] = setting
	}
	s.Checks = all
	return s
}

func (n *confNode) look(cmd *cobra.Command, e guardEntry) (guard.Report, error) {
	node, err := netstate.OpenNode()
	if err != nil {
		return guard.Report{}, &cli.ExitError{Code: cli.ExitUnknown, Err: err}
	}
	defer node.Close()
	target := &checks.Target{
		Node: node, Options: e.Settings.Options, StateDir: e.StateDir,
		Conf: checks.Conf{Dir: n.dir, Runtime: n.runtime, Loopback: n.loopback},
	}
	target.Attached = func(context.Context) ([]checks.Attachment, error) { return attached(e.StateDir) }
	if s, err := conflist.Select(n.dir, n.runtime); err == nil { // that it cannot be read is for a check to say
		target.Conf.Intent = n.intent(s)
	}
	a, err := n.assess()
	target.Conf.Inspect = n.inspections(a, err, e.StateDir)
	return guard.Run(cmd.Context(), checks.Suite(), guard.Node, e.Settings, target), nil
}

// attached returns the attachments that are on record in this boot.
func attached(stateDir string) ([]checks.Attachment, error) {
	boot, err := netstate.BootID()
	if err != nil {
		return nil, err
	}
	records, err := ledger.Ledger(stateDir).LiveOf(boot)
	all := make([]checks.Attachment, len(records))
	for i, r := range records {
		all[i] = checks.Attachment{
			Pod: cmp.Or(r.Pod, r.ContainerID), IfName: r.IfName,
			Interface: checks.Interface{MAC: r.MAC, Addrs: r.Addrs, Links: r.Links},
		}
	}
	return all, err
}

// loopback gives the loopback plugin that the runtime would call, if it calls one.
func (n *confNode) loopback() (checks.Loopback, error) {
	if n.internalLoopback {
		return checks.Loopback{Internal: true}, nil
	}
	return pluginquery.FindLoopback(n.runtime.BinDirs)
}

// assumption says that no runtime was found, as a line; "" where one was.
func (n *confNode) assumption() printable.Text {
	if !n.assumed || len(n.how) == 0 {
		return ""
	}
	return printable.Text(n.how[0] + "\n")
}

func (n *confNode) printDoctor(w io.Writer, e guardEntry, r guard.Report, output *cli.Format) error {
	var err error
	if output.JSON() {
		err = cli.PrintJSON(w, r)
	} else {
		from := "defaults, as no entry of cni-guard was found"
		if e.From != "" {
			from = e.From
		}
		_, err = printable.Fprintf(w, "%s with %s; policies and options from %s\n%s\n%s", n.runtime.Kind.DisplayName(), n.dir, from, n.assumption(), printable.Text(r.String()))
	}
	if err != nil {
		return err
	}
	return verdict(r)
}

// verdict ends with the code for the worst outcome. Minor findings count for
// nothing.
func verdict(r guard.Report) error {
	unknown := false
	for _, o := range r.Outcomes {
		if o.State == guard.Failed && !o.Minor() {
			return cli.Exit(cli.ExitFindings)
		}
		unknown = unknown || o.State == guard.Unknown
	}
	if unknown {
		return cli.Exit(cli.ExitUnknown)
	}
	return nil
}
