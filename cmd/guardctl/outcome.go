// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/chain"
	"github.com/cni-guard/cni-guard/pkg/printable"
	"github.com/cni-guard/cni-guard/pkg/release"
)

// cannotRelease says why there was nothing to try; in JSON as an outcome, for
// the plugin to quote.
func cannotRelease(cmd *cobra.Command, cause error, output *format) error {
	exit := &exitError{code: cannotTell}
	if output.json() {
		o := release.Outcome{Plugins: []release.Plugin{}, Reason: cause.Error()}
		if errors.Is(cause, chain.ErrNone) {
			o.Reason += `; set "cacheDir" and "confDir" of cni-guard to the runtime's folders`
		}
		exit.err = printJSON(cmd.OutOrStdout(), o)
		return exit
	}
	exit.err = cause
	if errors.Is(cause, chain.ErrNone) {
		exit.hint = "compare --container-id, --ifname and --network with the files of --cache-dir/results, or name the folder of the conflist with --conf-dir"
	}
	return exit
}

// incomplete ends with the code of findings. The usual reason when it was tried
// by hand is that the hand was an ordinary user's.
func incomplete() error {
	exit := &exitError{code: findings}
	if os.Geteuid() != 0 {
		exit.hint = "most plugins need root; run this as root"
	}
	return exit
}

func printOutcome(w io.Writer, a chain.Attachment, o release.Outcome) error {
	verdict := "released in full"
	switch {
	case o.DryRun:
		verdict = "dry run, nothing was called"
	case !o.Complete:
		verdict = "NOT released in full; mend what failed and run this again"
	}
	if _, err := printable.Fprintf(w, "%s of container %s in network %s: %s\nchain from %s\n", a.IfName, a.ContainerID, a.Network, verdict, o.Source); err != nil {
		return err
	}
	for _, p := range o.Plugins {
		note := ""
		if p.Note != "" {
			note = ": " + p.Note
		}
		printable.Fprintf(w, "  %-9s %s%s\n", p.Result, p.Type, note)
	}
	for _, left := range o.Left {
		printable.Fprintf(w, "  left      %s\n", left)
	}
	return nil
}
