// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/internal/cli"
	"github.com/cni-guard/cni-guard/cmd/internal/report"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

// newPace subscribes to changes, and returns when to look and how, until ctx ends.
func (c *call) newPace(ctx context.Context, cmd *cobra.Command) (*pace, looker) {
	var once sync.Map // each cause is reported once
	changes := newChanges(ctx, func(err error) {
		if _, known := once.LoadOrStore(err.Error(), true); !known {
			cli.Warn(cmd, err, fmt.Sprintf("(its changes are found by the look every %s)", c.interval))
		}
	})
	return &pace{changed: changes.changed, every: c.interval}, func(look context.Context) (report.Report, error) {
		r, err := c.look(look, cmd)
		if err == nil {
			changes.at(ctx, c.directories())
		}
		return r, err
	}
}

// waitForNode looks until the exit code is 0 or the time is up, and returns the last report.
func (c *call) waitForNode(cmd *cobra.Command) (report.Report, error) {
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, c.wait)
	defer cancel()
	p, look := c.newPace(ctx, cmd)
	began, counts := time.Now(), ""
	return waitUntilWell(ctx, p, look, func(r report.Report, err error) {
		now := r.Summary.Counts()
		if err != nil {
			now = err.Error()
		}
		if now != counts {
			counts = now
			printable.Fprintf(cmd.ErrOrStderr(), "guardctl: waiting, %s of %s: %s\n", time.Since(began).Round(time.Second), c.wait, now)
		}
	})
}

// watchNode prints the state of the node and then what changes, until it is stopped. The
// exit code is that of the last look.
func (c *call) watchNode(cmd *cobra.Command) error {
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	p, look := c.newPace(ctx, cmd)
	first, looked := true, time.Now()
	who := new(culprits)
	show := func(before, now report.Report) error {
		since := looked.Add(-culpritsAge)
		looked = time.Now()
		if first {
			first = false
			who.follow(ctx, c.directories()...)
			if !c.output.JSON() {
				return c.print(cmd, now)
			}
			return c.printChanges(cmd, report.Changes(before, now))
		}
		all := report.Changes(before, now)
		if len(all) > 0 {
			pause(ctx, culpritsDelay)
		}
		for i := range all {
			who.name(&all[i], since)
		}
		return c.printChanges(cmd, all)
	}
	last, err := watch(ctx, p, look, show, func(err error) { cli.Warn(cmd, err) })
	if err != nil {
		return err
	}
	return cli.Exit(last.Summary.ExitCode)
}

// printChanges writes a line for each change: JSON, or text.
func (c *call) printChanges(cmd *cobra.Command, all []report.Change) error {
	w := cmd.OutOrStdout()
	for _, change := range all {
		var err error
		if c.output.JSON() {
			document, marshalErr := json.Marshal(change)
			if marshalErr != nil {
				return marshalErr
			}
			_, err = printable.Fprintf(w, "%s\n", printable.Text(printable.JSON(document)))
		} else {
			_, err = printable.Fprintf(w, "%s %s\n", change.Time.Format(time.RFC3339), change)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
