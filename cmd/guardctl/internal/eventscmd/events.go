// SPDX-License-Identifier: Apache-2.0

// Package eventscmd is guardctl events: it shows what the guard recorded on the node.
package eventscmd

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/catalog"
	"github.com/cni-guard/cni-guard/cmd/internal/cli"
	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/events"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

// Command returns guardctl events. A filter by check accepts the checks of suite.
func Command(suite []*checks.Check) *cobra.Command {
	var dir, check string
	var since time.Duration
	cmd := &cobra.Command{
		Use:   "events",
		Short: "Show what the guard recorded on this node: findings, repairs and unknown results",
		Long: "Events prints the event file of the guard, oldest first. The file is bounded and is\n" +
			"lost at a reboot; the journal of the container runtime has the same lines. An event\n" +
			"that repeats is written the first, tenth, hundredth time and so on; its line shows\n" +
			"how often it has happened so far.\n\n" +
			"Exit codes: 0 no events, 1 at least one event, 2 the file or a line of it could not\n" +
			"be read.",
		Example: "  guardctl events --since 1h --check host-netns",
		Args:    cli.NoArgs,
	}
	cmd.Flags().StringVar(&dir, "state-dir", checks.DefaultStateDir, "stateDir of the plugin's configuration")
	cmd.Flags().StringVar(&check, "check", "", "show only events of this check")
	cmd.Flags().DurationVar(&since, "since", 0, "show only events of this last period, such as 90m (default: all)")
	output := cli.OutputFlag(cmd, "text", "json")
	cli.Complete(cmd, "check", catalog.Names(suite)...)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if since < 0 {
			return cli.UsageError(fmt.Errorf("--since %s is negative", since))
		}
		if check != "" {
			if _, err := catalog.Find(suite, check); err != nil {
				return err
			}
		}
		write := printTable
		if output.JSON() {
			write = printLines
		}
		return show(cmd, dir, write, func(e events.Event) bool {
			return (check == "" || e.Check == check) && (since == 0 || time.Since(e.Last) <= since)
		})
	}
	return cmd
}

// show prints the wanted events and a warning for each unreadable line.
func show(cmd *cobra.Command, dir string, write func(io.Writer, []events.Event) error, wanted func(events.Event) bool) error {
	var all, shown []events.Event
	var unreadable error
	for e, err := range events.Read(dir) {
		if err != nil {
			unreadable = err
			cli.Warn(cmd, err)
			continue
		}
		all = append(all, e)
	}
	events.Latest(dir, all)
	for _, e := range all {
		if wanted(e) {
			shown = append(shown, e)
		}
	}
	if len(shown) == 0 && unreadable == nil {
		printable.Fprintln(cmd.ErrOrStderr(), whyNone(dir, len(all)))
		return nil
	}
	if err := write(cmd.OutOrStdout(), shown); err != nil {
		return err
	}
	if unreadable != nil {
		hint := "damaged lines are lost; all others are shown above"
		if errors.Is(unreadable, fs.ErrPermission) {
			hint = cli.AsRoot
		}
		return cli.Unknown(errors.New("some events could not be read"), hint)
	}
	return cli.Exit(cli.ExitFindings)
}

// whyNone says why no event is shown. Only one of the reasons is good news.
func whyNone(dir string, total int) string {
	if _, err := os.Stat(dir); err != nil {
		return "no events: " + dir + " does not exist; the guard has not run since the last boot, or uses another stateDir"
	}
	if total > 0 {
		return fmt.Sprintf("none of %d events matches", total)
	}
	return "no events: since the last boot the guard found no problem, and no check was left unknown"
}

func printTable(w io.Writer, shown []events.Event) error {
	if len(shown) == 0 {
		return nil
	}
	t := cli.NewTable("TIME", "VERB", "STATE", "POD", "WHAT")
	for _, e := range shown {
		t.Row(e.Time.Local().Format(time.DateTime), e.Command, state(e), pod(e), e.Message+repeats(e))
	}
	_, err := io.WriteString(w, t.String()+"\nRun guardctl explain CHECK for what to do. -o json prints every detail, such as what could not be released.\n")
	return err
}

// repeats says how often an event happened, if more than once.
func repeats(e events.Event) string {
	if e.Count < 2 {
		return ""
	}
	return fmt.Sprintf(" (%d times from %s to %s)", e.Count, e.Since.Local().Format("Jan 2 15:04:05"), e.Last.Local().Format("Jan 2 15:04:05"))
}

// state returns the state of the check, with "warned" for a finding that did not refuse.
func state(e events.Event) string {
	if e.State == "failed" && e.Policy == "warn" {
		return "warned"
	}
	return e.State
}

// pod returns the pod, or the short ID of the container if Kubernetes did not call.
func pod(e events.Event) string {
	const short = 13 // as crictl shows it
	switch {
	case e.Pod != "":
		return e.Pod
	case len(e.ContainerID) > short:
		return e.ContainerID[:short]
	}
	return e.ContainerID
}

// printLines prints the events as they were written.
func printLines(w io.Writer, shown []events.Event) error {
	for _, e := range shown {
		if _, err := printable.Fprintf(w, "%s\n", printable.Text(e.Raw)); err != nil {
			return err
		}
	}
	return nil
}
