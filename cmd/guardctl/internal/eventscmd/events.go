// SPDX-License-Identifier: Apache-2.0

// Package eventscmd is guardctl events: it shows what the guard recorded on the node.
package eventscmd

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/catalog"
	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/cli"
	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/events"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

func Command(suite []*checks.Check) *cobra.Command {
	var dir, check string
	var since time.Duration
	cmd := &cobra.Command{
		Use:   "events",
		Short: "Show what the guard saw on this node: findings, repairs and unknowns",
		Long: "Events shows the bounded event file of the guard, oldest first. It is gone after\n" +
			"a reboot; the journal of the container runtime has the same lines. An event that\n" +
			"repeats is there once, and for the tenth, hundredth and so on, with how often it\n" +
			"happened until now.\n\n" +
			"It exits with 0 when there are none, 1 when there are, and 2 when a line or the\n" +
			"file could not be read.",
		Example: "  guardctl events --since 1h --check host-netns",
		Args:    cli.NoArgs,
	}
	cmd.Flags().StringVar(&dir, "state-dir", checks.DefaultStateDir, "the stateDir of the plugin's configuration")
	cmd.Flags().StringVar(&check, "check", "", "only this check")
	cmd.Flags().DurationVar(&since, "since", 0, "only events of this last period, such as 90m (default: all)")
	output := cli.OutputFlag(cmd, "text", "json")
	if err := cmd.RegisterFlagCompletionFunc("check", cobra.FixedCompletions(checks.Names(), cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag was added above
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if since < 0 {
			return cli.UsageError(fmt.Errorf("--since %s is negative", since))
		}
		if check != "" {
			if _, err := catalog.Find(suite, check); err != nil {
				return err
			}
		}
		wanted := func(e events.Event) bool {
			return (check == "" || e.Check == check) && (since == 0 || time.Since(e.Last) <= since)
		}
		print := printEvents
		if output.JSON() {
			print = printRawEvents
		}
		return summarize(cmd, dir, print, wanted)
	}
	return cmd
}

// summarize prints the events that are wanted, names the lines that could not be
// read, and turns both into the exit code.
func summarize(cmd *cobra.Command, dir string, print func(io.Writer, []events.Event) error, wanted func(events.Event) bool) error {
	var all, shown []events.Event
	var unreadable error
	for e, err := range events.Read(dir) {
		if err != nil {
			unreadable = err
			printable.Fprintln(cmd.ErrOrStderr(), "guardctl: warning:", err)
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
		printable.Fprintln(cmd.ErrOrStderr(), nothingShown(dir, len(all)))
		return nil
	}
	if err := print(cmd.OutOrStdout(), shown); err != nil {
		return err
	}
	if unreadable != nil {
		hint := "damaged lines are lost; all others are above"
		if errors.Is(unreadable, fs.ErrPermission) {
			hint = cli.AsRoot
		}
		return &cli.ExitError{Code: cli.ExitUnknown, Err: errors.New("some events could not be read"), Hint: hint}
	}
	return cli.Exit(cli.ExitFindings)
}

// nothingShown says which kind of nothing it is: only one of them is good news.
func nothingShown(dir string, total int) string {
	if _, err := os.Stat(dir); err != nil {
		return "no events: there is no " + dir + "; the guard has not run since the boot, or has another stateDir"
	}
	if total > 0 {
		return fmt.Sprintf("none of %d events is among those asked for", total)
	}
	return "no events: nothing was found, repaired or unclear since the boot"
}

func printEvents(w io.Writer, shown []events.Event) error {
	if len(shown) == 0 {
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	printable.Fprintf(t, "TIME\tVERB\tSTATE\tPOD\tWHAT\n")
	for _, e := range shown {
		printable.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", e.Time.Local().Format("2006-01-02 15:04:05"), e.Command, stateOf(e), whose(e), e.Message+repeated(e))
	}
	printable.Fprintf(t, "\nguardctl explain CHECK says what to do; -o json has everything, such as what could not be released.\n")
	return t.Flush()
}

// repeated says how often an event happened, where that is more than once.
func repeated(e events.Event) string {
	if e.Count < 2 {
		return ""
	}
	return fmt.Sprintf(" (%d times from %s to %s)", e.Count, e.Since.Local().Format("Jan 2 15:04:05"), e.Last.Local().Format("Jan 2 15:04:05"))
}

// stateOf tells a finding that was only warned of from one that was enforced.
func stateOf(e events.Event) string {
	if e.State == "failed" && e.Policy == "warn" {
		return "warned"
	}
	return e.State
}

// whose names the pod, or the container where Kubernetes did not call.
func whose(e events.Event) string {
	const short = 13 // as crictl shows it
	switch {
	case e.Pod != "":
		return e.Pod
	case len(e.ContainerID) > short:
		return e.ContainerID[:short]
	}
	return cli.OrDash(e.ContainerID)
}

// printRawEvents prints the lines as they were written.
func printRawEvents(w io.Writer, shown []events.Event) error {
	for _, e := range shown {
		if _, err := printable.Fprintf(w, "%s\n", printable.Text(e.Raw)); err != nil {
			return err
		}
	}
	return nil
}
