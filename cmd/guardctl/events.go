// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/events"
)

func eventsCommand() *cobra.Command {
	var dir, check string
	var since time.Duration
	cmd := &cobra.Command{
		Use:   "events",
		Short: "Show what the guard saw on this node: findings, repairs and unknowns",
		Long: "Events shows the bounded event file of the guard, oldest first. It is gone after\n" +
			"a reboot; the journal of the container runtime has the same lines.\n\n" +
			"It exits with 0 when there are none, 1 when there are, and 2 when a line or the\n" +
			"file could not be read.",
		Example: "  guardctl events --since 1h --check host-netns",
		Args:    cobra.NoArgs,
	}
	cmd.Flags().StringVar(&dir, "state-dir", "/run/cni-guard", "the stateDir of the plugin's configuration")
	cmd.Flags().StringVar(&check, "check", "", "only this check")
	cmd.Flags().DurationVar(&since, "since", 0, "only the last while, such as 90m; everything without it")
	output := outputFlag(cmd, "text", "json")
	if err := cmd.RegisterFlagCompletionFunc("check", cobra.FixedCompletions(checks.Names(), cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag was added above
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if since < 0 {
			return fmt.Errorf("--since %s is negative", since)
		}
		if check != "" {
			if _, err := find(check); err != nil {
				return err
			}
		}
		wanted := func(e events.Event) bool {
			return (check == "" || e.Check == check) && (since == 0 || time.Since(e.Time) <= since)
		}
		print := printEvents
		if output.json() {
			print = printRawEvents
		}
		return summarize(cmd, dir, print, wanted)
	}
	return cmd
}

// summarize prints the events that are wanted, names the lines that could not be
// read, and turns both into the exit code.
func summarize(cmd *cobra.Command, dir string, print func(io.Writer, []events.Event) error, wanted func(events.Event) bool) error {
	var shown []events.Event
	var unreadable error
	for e, err := range events.Read(dir) {
		switch {
		case err != nil:
			unreadable = err
			fmt.Fprintln(cmd.ErrOrStderr(), "guardctl: warning:", err)
		case wanted(e):
			shown = append(shown, e)
		}
	}
	if err := print(cmd.OutOrStdout(), shown); err != nil {
		return err
	}
	switch {
	case unreadable != nil:
		return &exitError{code: cannotTell, err: fmt.Errorf("some events could not be read")}
	case len(shown) > 0:
		return &exitError{code: findings}
	}
	return nil
}

func printEvents(w io.Writer, shown []events.Event) error {
	if len(shown) == 0 {
		_, err := fmt.Fprintln(w, "no events: nothing was found, repaired or unclear")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "TIME\tVERB\tSTATE\tPOD\tWHAT")
	for _, e := range shown {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", e.Time.Local().Format("2006-01-02 15:04:05"), e.Command, e.State, orDash(oneLine(e.Pod)), oneLine(e.Message))
	}
	return t.Flush()
}

// printRawEvents prints the lines as they were written.
func printRawEvents(w io.Writer, shown []events.Event) error {
	for _, e := range shown {
		if _, err := fmt.Fprintf(w, "%s\n", e.Raw); err != nil {
			return err
		}
	}
	return nil
}

// oneLine keeps what others wrote from moving the table, or the terminal.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
