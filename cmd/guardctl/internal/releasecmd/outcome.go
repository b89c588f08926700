// SPDX-License-Identifier: Apache-2.0

package releasecmd

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/internal/attachment"
	"github.com/cni-guard/cni-guard/cmd/internal/chain"
	"github.com/cni-guard/cni-guard/cmd/internal/cli"
	"github.com/cni-guard/cni-guard/pkg/ledger"
	"github.com/cni-guard/cni-guard/pkg/printable"
	"github.com/cni-guard/cni-guard/pkg/release"
)

// A livingError says that an attachment was not released because its pod may be alive.
type livingError struct {
	attachment chain.Attachment
	judgement  attachment.Liveness
}

func (e *livingError) Error() string {
	what := "the pod lives"
	if e.judgement.Verdict != release.Alive {
		what = "it is unknown whether the pod lives"
	}
	return fmt.Sprintf("release %s of container %s: %s: %s",
		e.attachment.IfName, e.attachment.ContainerID, what, strings.Join(e.judgement.Reasons(), "; "))
}

// cannotRelease reports why nothing was tried. In JSON that is an outcome, which the
// plugin quotes.
func cannotRelease(cmd *cobra.Command, o release.Outcome, cause error, output *cli.Format) error {
	exit := &cli.ExitError{Code: cli.ExitUnknown}
	var living *livingError
	hint := ""
	switch {
	case errors.Is(cause, chain.ErrNone):
		hint = "compare --container-id, --ifname and --network with the files of --cache-dir/results, or name the directory of the conflist with --conf-dir"
	case errors.Is(cause, fs.ErrPermission):
		hint = cli.AsRoot
	case errors.Is(cause, attachment.ErrUnknown):
		hint = "compare --container-id, --ifname and --network with the files of --cache-dir/results; for an ADD that failed, --force with the full ID calls the plugins all the same"
	case errors.Is(cause, ledger.ErrHeld):
		hint = "wait for it: it ends within " + timeout.String()
	case errors.As(cause, &living) && living.judgement.Verdict == release.Alive:
		hint = "let the runtime remove the pod; --force lets the next pod get the address of a pod that lives, and both lose their connections"
	case errors.As(cause, &living):
		hint = "let the runtime remove the pod, or look for its processes (crictl inspectp); if it lives, --force lets the next pod get its address as well"
	}
	if output.JSON() {
		o.Plugins, o.Reason = []release.Plugin{}, cause.Error()
		if errors.Is(cause, chain.ErrNone) {
			o.Reason += `; set "cacheDir" and "confDir" of cni-guard to the runtime's directories`
		}
		exit.Err = cli.PrintJSON(cmd.OutOrStdout(), o)
		return exit
	}
	exit.Err, exit.Hint = cause, hint
	return exit
}

// incomplete returns the error of a release that failed in part, with a hint if the user
// is not root.
func incomplete() error {
	exit := &cli.ExitError{Code: cli.ExitFindings}
	if os.Geteuid() != 0 {
		exit.Hint = "most plugins need root: run this as root"
	}
	return exit
}

func printOutcome(w io.Writer, a chain.Attachment, o release.Outcome) error {
	if _, err := printable.Fprintf(w, "%s of container %s in network %s: %s\n", a.IfName, a.ContainerID, a.Network, result(o)); err != nil {
		return err
	}
	if o.Source != "" {
		printable.Fprintf(w, "chain from %s\n", o.Source)
	}
	for _, p := range o.Plugins {
		note := ""
		if p.Note != "" {
			note = ": " + p.Note
		}
		printable.Fprintf(w, "  %-10s %s%s\n", p.Result, p.Type, note)
	}
	for _, left := range o.Left {
		printable.Fprintf(w, "  left       %s\n", left)
	}
	for _, e := range o.Evidence {
		printable.Fprintf(w, "  evidence   %s\n", e)
	}
	if o.Unrecorded != "" {
		printable.Fprintf(w, "  not recorded: %s; a DEL that is repeated calls the plugins again\n", o.Unrecorded)
	}
	return nil
}

// result says in words what happened to the attachment, or would happen.
func result(o release.Outcome) string {
	switch {
	case o.Already:
		return "released before, nothing was called"
	case o.DryRun && o.Reason != "":
		return "dry run, nothing was called; without --force it would be refused: " + string(o.Verdict)
	case o.DryRun && o.Verdict != "":
		return "dry run, nothing was called; it would be released: " + string(o.Verdict)
	case o.DryRun:
		return "dry run, nothing was called"
	case !o.Complete:
		return "NOT released in full; mend what failed and run this again"
	case o.KeepsAddress():
		return "NOT released in full, and running this again does not help; see what is left"
	}
	return "released in full"
}
