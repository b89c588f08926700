// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/internal/cli"
	"github.com/cni-guard/cni-guard/cmd/kubectl-cni_guard/internal/cluster"
)

// schemaVersion is that of -o json. A change that a reader could notice increments it.
const schemaVersion = 1

// status is one call of the command.
type status struct {
	cmd      *cobra.Command
	connect  cluster.Options
	format   string
	watch    bool
	selector string
	silent   time.Duration
	now      func() time.Time
}

func statusCommand() *cobra.Command {
	s := &status{now: time.Now}
	s.cmd = &cobra.Command{
		Use:   "status [NODE...]",
		Short: "Print the state of every node, its worst finding and since when",
		Long: "Status reads the condition " + cluster.Condition + " of the nodes, which the agent of\n" +
			"cni-guard writes, and prints a line for each node, the worst first:\n\n" +
			"  problem  the agent reports a lasting finding\n" +
			"  unknown  the agent cannot check the node\n" +
			"  silent   the agent has not reported for --silent-after: see its pod on that node\n" +
			"  none     no agent has ever reported from the node\n" +
			"  ok       the agent reports no lasting finding\n\n" +
			"Exit codes: 0 every node is ok, 1 a node has a problem, 2 a node is unknown, silent or\n" +
			"has no agent, or the API server did not answer, 64 wrong arguments or flags.",
		Example: "  kubectl cni-guard status\n  kubectl cni-guard status -l topology.kubernetes.io/zone=a -o wide\n  kubectl cni-guard status --watch",
	}
	flags := s.cmd.Flags()
	flags.StringVarP(&s.format, "output", "o", "text", "output format: text, wide or json")
	flags.BoolVarP(&s.watch, "watch", "w", false, "after the list, print every change")
	flags.StringVarP(&s.selector, "selector", "l", "", "only nodes with these labels")
	flags.DurationVar(&s.silent, "silent-after", cluster.SilentAfter, "age from which a report counts as missing")
	flags.StringVar(&s.connect.Kubeconfig, "kubeconfig", "", "kubeconfig file (default: the same as kubectl's)")
	flags.StringVar(&s.connect.Context, "context", "", "context of the kubeconfig (default: the current one)")
	s.cmd.RunE = func(_ *cobra.Command, names []string) error {
		if !slices.Contains([]string{"text", "wide", "json"}, s.format) {
			return cli.UsageError(fmt.Errorf("read --output: %q is none of text, wide and json", s.format))
		}
		return s.run(names)
	}
	return s.cmd
}

func (s *status) run(names []string) error {
	client, err := cluster.Connect(s.connect)
	if err != nil {
		return cli.Unknown(err, "")
	}
	ctx := s.cmd.Context()
	nodes, version, err := client.Nodes(ctx, s.selector)
	if err != nil {
		return cli.Unknown(err, "")
	}
	reports, missing := cluster.Reports(nodes, names, s.now(), s.silent)
	if len(missing) > 0 {
		return cli.Unknown(fmt.Errorf("find the node: the cluster has no %s", strings.Join(missing, ", ")), "kubectl get nodes lists them")
	}
	if err := s.print(reports); err != nil {
		return cli.Unknown(err, "")
	}
	if s.watch {
		return s.follow(ctx, client, names, reports, version)
	}
	return cli.Exit(exitCode(reports))
}

// exitCode returns that of the worst report.
func exitCode(reports []cluster.Report) int {
	code := cli.ExitOK
	for _, r := range reports {
		switch r.State {
		case cluster.Problem:
			return cli.ExitFindings
		case cluster.Unknown, cluster.Silent, cluster.None:
			code = cli.ExitUnknown
		case cluster.OK:
		}
	}
	return code
}

func (s *status) print(reports []cluster.Report) error {
	if s.format == "json" {
		return s.printJSON(map[string]any{"schemaVersion": schemaVersion, "nodes": reports})
	}
	w := tabwriter.NewWriter(s.cmd.OutOrStdout(), 0, 0, 3, ' ', 0)
	header := "NODE\tSTATE\tPROBLEM\tSINCE\tREPORTED"
	if s.format == "wide" {
		header += "\tREADY\tMESSAGE"
	}
	_, _ = fmt.Fprintln(w, header)
	counts := map[cluster.State]int{}
	for _, r := range reports {
		counts[r.State]++
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s", r.Node, r.State, dash(r.Reason), s.ago(r.Since), s.ago(r.Reported))
		if s.format == "wide" {
			_, _ = fmt.Fprintf(w, "\t%s\t%s", r.Ready, dash(r.Message))
		}
		_, _ = fmt.Fprintln(w)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print the nodes: %w", err)
	}
	if s.format == "text" {
		s.printMessages(reports)
	}
	var parts []string
	for _, state := range []cluster.State{cluster.Problem, cluster.Unknown, cluster.Silent, cluster.None, cluster.OK} {
		if n := counts[state]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, state))
		}
	}
	_, err := fmt.Fprintf(s.cmd.OutOrStdout(), "\n%d nodes: %s\n", len(reports), strings.Join(parts, ", "))
	return err
}

// printMessages prints what the table has no room for: what is wrong, in the agent's words.
func (s *status) printMessages(reports []cluster.Report) {
	for _, r := range reports {
		if r.State != cluster.OK && r.Message != "" {
			_, _ = fmt.Fprintf(s.cmd.OutOrStdout(), "\n%s: %s\n", r.Node, r.Message)
		}
	}
}

func (s *status) printJSON(v any) error {
	enc := json.NewEncoder(s.cmd.OutOrStdout())
	enc.SetIndent("", "  ")
	if s.watch { // a line for each object
		enc.SetIndent("", "")
	}
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("print the nodes: %w", err)
	}
	return nil
}

// ago returns the time between then and now, as kubectl prints ages.
func (s *status) ago(then time.Time) string {
	if then.IsZero() {
		return "-"
	}
	d := max(s.now().Sub(then), 0)
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// follow prints each change of a node's state, and ends with the context or the watch.
func (s *status) follow(ctx context.Context, client *cluster.Client, names []string, reports []cluster.Report, version string) error {
	last := map[string]cluster.Report{}
	for _, r := range reports {
		last[r.Node] = r
	}
	flush, _ := s.cmd.OutOrStdout().(interface{ Flush() error })
	changed := func(r cluster.Report) error {
		old, known := last[r.Node]
		last[r.Node] = r
		if known && old.State == r.State && old.Reason == r.Reason && old.Message == r.Message {
			return nil
		}
		if !known {
			old.State = cluster.None
		}
		if s.format == "json" {
			if err := s.printJSON(r); err != nil {
				return err
			}
		} else {
			_, _ = fmt.Fprintf(s.cmd.OutOrStdout(), "%s %s: %s → %s %s: %s\n",
				s.now().Format(time.RFC3339), r.Node, old.State, r.State, dash(r.Reason), dash(r.Message))
		}
		if flush != nil {
			return flush.Flush()
		}
		return nil
	}
	if flush != nil {
		_ = flush.Flush()
	}
	err := client.Watch(ctx, s.selector, version, func(n cluster.Node) error {
		reports, _ := cluster.Reports([]cluster.Node{n}, nil, s.now(), s.silent)
		if len(names) > 0 && !slices.Contains(names, reports[0].Node) {
			return nil
		}
		return changed(reports[0])
	})
	if ctx.Err() != nil {
		return nil
	}
	return cli.Unknown(err, "")
}
