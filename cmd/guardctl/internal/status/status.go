// SPDX-License-Identifier: Apache-2.0

// Package status is guardctl status: the state of the agent on this node, its findings and its repairs.
package status

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/internal/agentapi"
	"github.com/cni-guard/cni-guard/cmd/internal/cli"
	"github.com/cni-guard/cni-guard/pkg/agent"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

// Command returns guardctl status.
func Command() *cobra.Command {
	var socket string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the state of the agent on this node, its findings and its repairs",
		Long: "Status asks cni-guard-agent over its socket. It runs no checks itself; guardctl doctor\n" +
			"does.\n\n" +
			"Exit codes: 0 the agent runs and has no finding, 1 at least one finding, 2 no agent\n" +
			"answers, or a check could not be completed.",
		Args: cli.NoArgs,
	}
	cmd.Flags().StringVar(&socket, "socket", agentapi.Socket, "unix socket of the agent")
	output := cli.OutputFlag(cmd, "text", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := agentapi.Get(cmd.Context(), socket)
		switch {
		case errors.Is(err, agentapi.ErrNotRunning):
			return cli.Unknown(err, "guardctl doctor checks the node without an agent")
		case err != nil:
			return cli.Denied(err)
		case output.JSON():
			err = cli.PrintJSON(cmd.OutOrStdout(), s)
		default:
			err = write(cmd.OutOrStdout(), s, time.Now())
		}
		if err != nil {
			return err
		}
		return cli.Exit(exitCode(s.Status))
	}
	return cmd
}

// exitCode returns the exit code for the worst state. Minor findings do not count.
func exitCode(s agent.Status) int {
	code := cli.ExitOK
	if s.Looks.LastFull.IsZero() || s.Error != "" {
		code = cli.ExitUnknown
	}
	for _, c := range s.Checks {
		switch c.State {
		case "failed":
			return cli.ExitFindings
		case "unknown":
			code = cli.ExitUnknown
		}
	}
	return code
}

// write prints the status for people.
func write(w io.Writer, s agentapi.Status, now time.Time) error {
	out := &lines{w: w}
	out.line("agent %s on %s, profile %s, keep %s; started %s", s.Version, s.Node, s.Profile, s.Keep, ago(s.Started, now))
	out.line("lo %s; %d full looks, the last %s (took %s); %d quick looks", s.Loopback, s.Looks.Full, ago(s.Looks.LastFull, now), s.Looks.LastDuration.Round(time.Millisecond), s.Looks.Quick)
	for _, watch := range s.Watches {
		how := "the kernel reports changes"
		if !watch.Events {
			how = "no events (" + watch.Why + ")"
		}
		out.line("watch %s: %s; %d relevant, %d times lost", watch.Source, how, watch.Changes, watch.Dropped)
	}
	if s.Error != "" {
		out.line("the last look failed: %s", s.Error)
	}
	if s.Problem != nil {
		out.line("node problem: %s, began %s", s.Problem.Reason(), ago(s.Problem.Since, now))
	}
	passed, skipped := 0, 0
	for _, c := range s.Checks {
		switch c.State {
		case "passed":
			passed++
		case "skipped":
			skipped++
		default:
			out.check(c, now)
		}
	}
	out.line("%d checks passed, %d do not apply here", passed, skipped)
	out.conf(s.Conf, now)
	if len(s.Incidents) > 0 {
		out.line("")
		out.line("incidents, newest first:")
	}
	for _, i := range s.Incidents {
		out.incident(i)
	}
	return out.err
}

// A lines prints lines until one fails.
type lines struct {
	w   io.Writer
	err error
}

func (l *lines) line(format string, args ...any) {
	if l.err == nil {
		_, l.err = printable.Fprintf(l.w, format+"\n", args...)
	}
}

func (l *lines) check(c agent.CheckStatus, now time.Time) {
	l.line("%-8s %s %s, began %s", c.State, c.ID, c.Check, ago(c.Since, now))
	for _, f := range c.Findings {
		l.line("         %s", f)
	}
	if c.Why != "" {
		l.line("         %s", c.Why)
	}
	if c.State == "failed" {
		l.line("         run guardctl explain %s", c.Check)
	}
}

func (l *lines) conf(c agent.ConfStatus, now time.Time) {
	if c.Error != "" {
		l.line("cannot keep %s: %s", c.Dir, c.Error)
	}
	for _, a := range c.Actions {
		by := ""
		if a.Culprit != "" {
			by = "; written by " + a.Culprit
			if a.Action == "restore" {
				by = "; removed by " + a.Culprit
			}
		}
		l.line("%s %s %s %s: %s%s", a.Time.Local().Format(time.DateTime), a.Result, a.Action, a.File, a.Why, by)
		if a.Error != "" {
			l.line("         %s", a.Error)
		}
	}
	if c.InARow >= contested {
		next := ""
		if c.Until.After(now) {
			next = "; next attempt at " + c.Until.Local().Format(time.TimeOnly)
		}
		l.line("another program undoes this: %d actions in a row%s", c.InARow, next)
	}
}

// contested is after how many actions in a row status says that another program undoes them.
const contested = 4

func (l *lines) incident(i agent.Incident) {
	state := "lasts"
	switch {
	case i.Repaired && i.Count > 1:
		state = fmt.Sprintf("repaired %d times", i.Count)
	case i.Repaired:
		state = "repaired"
	case !i.Ended.IsZero():
		state = "gone after " + i.Ended.Sub(i.Began).Round(time.Second).String()
	}
	by := ""
	if i.Culprit != "" {
		by = "; by " + i.Culprit
	}
	l.line("%s %s %s: %s %s (%s%s)", i.Began.Local().Format(time.DateTime), i.ID, i.Check, i.Object, i.Problem, state, by)
}

// ago returns how long something is ago, in words.
func ago(t, now time.Time) string {
	if t.IsZero() {
		return "not yet"
	}
	return now.Sub(t).Round(time.Second).String() + " ago"
}
