// SPDX-License-Identifier: Apache-2.0

// Package bundle is guardctl bundle: it writes what the checks of this node look at into
// one file, which guardctl doctor --bundle judges elsewhere.
package bundle

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/internal/cli"
	"github.com/cni-guard/cni-guard/cmd/internal/node"
	"github.com/cni-guard/cni-guard/cmd/internal/nodecheck"
	"github.com/cni-guard/cni-guard/cmd/internal/report"
	"github.com/cni-guard/cni-guard/cmd/internal/snapshot"
	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

// recent is how far back incidents are kept.
const recent = 7 * 24 * time.Hour

// Command returns guardctl bundle, of a program of that version.
func Command(suite []*checks.Check, version string) *cobra.Command {
	var output string
	var dryRun bool
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "bundle",
		Short: "Write what the checks of this node look at into one file",
		Long: "Bundle runs the checks of doctor and records what they read: the answers of the kernel,\n" +
			"the files of the conf dir, the state of the guard, the configuration of the node's\n" +
			"network managers and of the runtime, and the rules of the packet filter. \"guardctl\n" +
			"doctor --bundle FILE\" judges the file on any machine, with the same checks.\n\n" +
			"Passwords, tokens and keys are removed; addresses and names stay. Nothing is sent\n" +
			"anywhere, and nothing on the node is changed. docs/bundle.md describes the file; look\n" +
			"at its manifest.json, which comes first and lists everything, before you share it.\n\n" +
			"Bundle runs as any user. What that user cannot read is missing, which is reported.",
		Example: "  guardctl bundle\n  guardctl bundle -o node-7.tar.gz\n  guardctl bundle --dry-run\n" +
			"  guardctl bundle --root /host -o - > node-7.tar.gz\n  guardctl doctor --bundle node-7.tar.gz",
		Args: cli.NoArgs,
	}
	n := node.New(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "", "file to write; - is the standard output (default: guardctl-bundle-HOST-TIME.tar.gz)")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "write no file, and list what would be in it")
	cmd.Flags().DurationVar(&timeout, "timeout", time.Minute, "when to stop reading, and write what there is")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if timeout <= 0 {
			return cli.UsageError(fmt.Errorf("--timeout %s is not positive", timeout))
		}
		host, _ := os.Hostname()
		output = cmp.Or(output, fmt.Sprintf("guardctl-bundle-%s-%s.tar.gz", cmp.Or(fileName(host), "node"), time.Now().UTC().Format("20060102T150405Z")))
		write := func(s *snapshot.Snapshot) error { return printManifest(cmd.OutOrStdout(), s) }
		switch {
		case dryRun:
		case output == "-":
			write = func(s *snapshot.Snapshot) error { return s.Write(unescaped(cmd.OutOrStdout())) }
		default:
			file, err := create(output) // before --root changes what the path means
			if err != nil {
				return cli.Denied(err)
			}
			defer file.discard()
			write = func(s *snapshot.Snapshot) error { return file.commit(s.Write) }
		}
		interrupted, stop := interruption(cmd.Context())
		defer stop()
		ctx, cancel := context.WithTimeout(interrupted, timeout)
		defer cancel()
		s, err := record(ctx, cmd, n, suite, version)
		if interrupted.Err() != nil { // what was read until then is no picture of the node
			return cli.Unknown(errors.New("interrupted: no bundle was written"), "")
		}
		if err != nil {
			return err
		}
		s.Manifest.Host = host
		if err := write(s); err != nil {
			return cli.Denied(fmt.Errorf("write %s: %w", output, err))
		}
		if !dryRun {
			printable.Fprintf(cmd.ErrOrStderr(), "%s", summary(output, s))
		}
		return nil
	}
	return cmd
}

// interruption returns a context that ends with a signal, after which the next one ends the
// program at once. Without it the temporary file would stay behind.
func interruption(ctx context.Context) (context.Context, func()) {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // nohup
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(ctx, signals...)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// record runs the checks and returns everything that they and Collect read.
func record(ctx context.Context, cmd *cobra.Command, n *node.Node, suite []*checks.Check, version string) (*snapshot.Snapshot, error) {
	s := snapshot.New()
	if err := n.Find(ctx); err != nil {
		return nil, err
	}
	s.RecordNode(n)
	e, err := n.GuardEntry()
	if err != nil {
		cli.Warn(cmd, err, "(the defaults apply for what cannot be read)")
	}
	var kernel netstate.View
	live, err := netstate.OpenNode()
	if err != nil {
		kernel = netstate.Unreadable{Err: err}
	} else {
		defer live.Close()
		netstate.AskWireGuard(live)
		kernel = live
	}
	e.Settings = nodecheck.WithoutRepairs(e.Settings, suite)
	target := nodecheck.Target(n, e, kernel)
	s.Record(target)
	run := guard.Run(ctx, suite, guard.Node, e.Settings, target)
	s.Manifest.GuardVersion = version
	s.Report = nodecheck.NewReport(n, e, nodecheck.Program{Version: version, Mode: report.Observe}, suite, run, report.FailOn{})
	nodecheck.AddLimits(&s.Report, n, e.StateDir, report.FailOn{})
	nodecheck.AddEvents(&s.Report, e.StateDir, time.Now().Add(-recent))
	for _, limit := range s.Report.Limits {
		s.Manifest.Limits = append(s.Manifest.Limits, limit.String())
	}
	if os.Geteuid() != 0 {
		s.Manifest.Limits = append(s.Manifest.Limits, "not root: what only root can read is missing")
	}
	late := s.Collect(ctx, snapshot.Place{ConfDir: n.Site.ConfDir, StateDir: e.StateDir, RecordDir: n.RecordDir}, kernel)
	s.Manifest.Limits = append(s.Manifest.Limits, late...)
	return s, nil
}

// printManifest lists what a bundle would have.
func printManifest(w io.Writer, s *snapshot.Snapshot) error {
	if err := s.Write(io.Discard); err != nil {
		return err
	}
	return cli.PrintJSON(w, s.Manifest)
}

// summary says what was written.
func summary(output string, s *snapshot.Snapshot) printable.Text {
	files, secrets := len(s.Manifest.Files), 0
	for _, e := range s.Manifest.Files {
		secrets += e.Redacted
	}
	text := fmt.Sprintf("guardctl: wrote %s: %d files; %d secrets were removed, addresses and names are in it\n", printable.String(output), files, secrets)
	for _, o := range s.Manifest.Omitted {
		text += fmt.Sprintf("guardctl: left out %s: %s\n", printable.String(o.Path), o.Reason)
	}
	for _, limit := range s.Manifest.Limits {
		text += fmt.Sprintf("guardctl: could not look at everything: %s\n", printable.String(limit))
	}
	return printable.Text(text)
}

// unescaped returns the writer below one that makes text printable.
func unescaped(w io.Writer) io.Writer {
	if safe, ok := w.(interface{ Underlying() io.Writer }); ok {
		return safe.Underlying()
	}
	return w
}

// fileName returns what of a host name can be part of a file name.
func fileName(host string) string {
	var name []rune
	for _, c := range host {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '-' {
			name = append(name, c)
		}
	}
	return string(name)
}
