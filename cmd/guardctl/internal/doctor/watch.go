// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/internal/cli"
	"github.com/cni-guard/cni-guard/cmd/internal/report"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

// waitForNode looks until the exit code is 0 or the time is up, and returns the last report.
func (c *call) waitForNode(cmd *cobra.Command) (report.Report, error) {
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, c.wait)
	defer cancel()
	began, counts := time.Now(), ""
	for {
		// A look that has begun ends, whatever the time: its checks have deadlines of their own.
		r, err := c.look(cmd.Context(), cmd)
		if err == nil && r.Summary.ExitCode == 0 {
			return r, nil
		}
		if now := waitingFor(r, err); now != counts {
			counts = now
			printable.Fprintf(cmd.ErrOrStderr(), "guardctl: waiting, %s of %s: %s\n", time.Since(began).Round(time.Second), c.wait, now)
		}
		if !pause(ctx, c.interval) {
			return r, err
		}
	}
}

func waitingFor(r report.Report, err error) string {
	if err != nil {
		return err.Error()
	}
	return r.Summary.Counts()
}

// pause waits for an interval and reports whether there is time left.
func pause(ctx context.Context, interval time.Duration) bool {
	timer := time.NewTimer(interval)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// watchNode prints the state of the node and then what changes, until it is stopped. The
// exit code is that of the last look.
func (c *call) watchNode(cmd *cobra.Command) error {
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	before, err := c.look(ctx, cmd)
	if err != nil {
		return err
	}
	if c.output.JSON() {
		err = c.printChanges(cmd, report.Changes(report.Report{}, before))
	} else {
		err = c.print(cmd, before)
	}
	if err != nil {
		return err
	}
	for pause(ctx, c.interval) {
		now, err := c.look(ctx, cmd)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			cli.Warn(cmd, err)
		default:
			if err := c.printChanges(cmd, report.Changes(before, now)); err != nil {
				return err
			}
			before = now
		}
	}
	return cli.Exit(before.Summary.ExitCode)
}

// printChanges writes a line for each change: JSON, or text.
func (c *call) printChanges(cmd *cobra.Command, all []report.Change) error {
	w := cmd.OutOrStdout()
	for _, change := range all {
		line := fmt.Sprintf("%s %s", change.Time.Format(time.RFC3339), change)
		if c.output.JSON() {
			document, err := json.Marshal(change)
			if err != nil {
				return err
			}
			line = string(document)
			if _, err := printable.Fprintf(w, "%s\n", printable.Text(line)); err != nil {
				return err
			}
			continue
		}
		if _, err := printable.Fprintf(w, "%s\n", line); err != nil {
			return err
		}
	}
	return nil
}
