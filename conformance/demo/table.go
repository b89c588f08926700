// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// writeTable shows two runs side by side.
func writeTable(to io.Writer, without, with outcome) error {
	w := tabwriter.NewWriter(to, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "\twithout the guard\twith the guard")
	for _, row := range []struct {
		name string
		cell func(outcome) string
	}{
		{"node's lo", lo},
		{"node's eth0", eth0},
		{"pod's address", address},
		{"removal", removal},
		{"first DEL took", took},
	} {
		fmt.Fprintf(w, "%s\t%s\t%s\n", row.name, row.cell(without), row.cell(with))
	}
	return w.Flush()
}

func lo(o outcome) string {
	if o.After.LoUp {
		return "up"
	}
	return "DOWN"
}

func eth0(o outcome) string {
	if o.After.HasEth0 {
		return "present"
	}
	return "DELETED"
}

func address(o outcome) string {
	if o.Leased {
		return o.Address + " STILL ALLOCATED"
	}
	return o.Address + " released"
}

func removal(o outcome) string {
	if o.Complete {
		return fmt.Sprintf("complete, tried %d×", o.Attempts)
	}
	return fmt.Sprintf("NEVER COMPLETE, tried %d×", o.Attempts)
}

func took(o outcome) string { return o.Took.Round(time.Millisecond).String() }

// writeAnswers shows what the runtime heard of its plugins.
func writeAnswers(to io.Writer, without, with outcome) error {
	_, err := fmt.Fprintf(to, `
The runtime was told
  without: %s
  with:    %s
containerd takes an error that says "not found" for a sandbox that is gone, and is done.
`, without.Answer, with.Answer)
	return err
}
