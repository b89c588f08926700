// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"reflect"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/cli"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

func printTunnels(w io.Writer, t tunnelTable, output *cli.Format) error {
	if output.JSON() {
		if t.Peers == nil {
			t.Peers = []tunnelRow{} // never null
		}
		return cli.PrintJSON(w, t)
	}
	_, err := io.WriteString(w, t.text())
	return err
}

// text gives the table for people.
func (t tunnelTable) text() string {
	var b strings.Builder
	if len(t.Peers) > 0 {
		table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		printable.Fprintf(table, "DEVICE\tKIND\tBLOCK\tOUTER\tPROBED\tSTATE\tRTT\tLAST CONFIRMED\t\n")
		for _, p := range t.Peers {
			printable.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", cli.OrDash(p.Device), cli.OrDash(p.Kind), p.blocks(),
				cli.OrDash(p.Outer), cli.OrDash(p.Probed), p.State, p.rtt(), p.confirmed(), p.why)
		}
		_ = table.Flush() // to a Builder, which takes everything
	}
	printable.Fprintln(&b, t.counts())
	for _, n := range t.NotEnumerable {
		printable.Fprintf(&b, "%s: its peers cannot be listed: %s\n", n.Device, n.Reason)
	}
	if t.unread != nil {
		printable.Fprintln(&b, "what was learned before is not known:", t.unread)
	}
	if why := t.trouble["remember peers"]; why != "" {
		printable.Fprintf(&b, "what was learned could not be written down: %s\n", why)
	}
	return b.String()
}

func (p tunnelRow) blocks() string {
	if p.more > 0 {
		return fmt.Sprintf("%s +%d", p.Block, p.more)
	}
	return cli.OrDash(p.Block)
}

func (p tunnelRow) rtt() string {
	if p.RTT == nil {
		return "-"
	}
	return fmt.Sprintf("%.2f ms", *p.RTT)
}

func (p tunnelRow) confirmed() string {
	if p.LastConfirmed == nil {
		return "-"
	}
	return p.LastConfirmed.Format(time.RFC3339)
}

// watchTunnels prints the table whenever it has changed by more than the time of
// an answer, until it is told to stop. A look that fails, after one that did not,
// is told of and tried again.
func watchTunnels(ctx context.Context, cmd *cobra.Command, look func(context.Context) (tunnelTable, error), every time.Duration, output *cli.Format) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	var before any
	for {
		found, err := look(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil && before == nil {
			return err
		}
		if err != nil {
			printable.Fprintln(cmd.ErrOrStderr(), "guardctl: warning:", err)
		} else if now := found.lasting(); !reflect.DeepEqual(now, before) {
			before = now
			if !output.JSON() {
				printable.Fprintf(cmd.OutOrStdout(), "\n%s\n", time.Now().Format(time.RFC3339))
			}
			if err := printTunnels(cmd.OutOrStdout(), found, output); err != nil {
				return err
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// lasting is what of the table does not change while all is as it was.
func (t tunnelTable) lasting() tunnelTable {
	rows := make([]tunnelRow, len(t.Peers))
	for i, p := range t.Peers {
		p.RTT, p.LastConfirmed = nil, nil
		rows[i] = p
	}
	t.Peers = rows
	return t
}
