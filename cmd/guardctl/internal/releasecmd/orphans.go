// SPDX-License-Identifier: Apache-2.0

package releasecmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/internal/cli"
	"github.com/cni-guard/cni-guard/cmd/internal/inspect"
	"github.com/cni-guard/cni-guard/cmd/internal/site"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
	"github.com/cni-guard/cni-guard/pkg/printable"
	"github.com/cni-guard/cni-guard/pkg/release"
)

// A shownOrphan is an orphan in the JSON output of release --orphans.
type shownOrphan struct {
	ContainerID string           `json:"containerID"`
	IfName      string           `json:"ifName"`
	Network     string           `json:"network"`
	Pod         string           `json:"pod,omitempty"`
	Source      string           `json:"source"`  // file that lists the attachment
	Proof       []string         `json:"proof"`   // that the sandbox is gone
	Command     string           `json:"command"` // command that releases this one
	Outcome     *release.Outcome `json:"outcome,omitempty"`
	Error       string           `json:"error,omitempty"` // why it was not released
}

// orphans lists the attachments of sandboxes that are gone. With yes it checks each again
// and releases it.
func (r *releasing) orphans(cmd *cobra.Command, yes, binDirGiven bool) error {
	if err := cleanEnvironment(); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s, a := r.findNetworks(ctx)
	if !binDirGiven && len(s.Runtime.BinDirs) > 0 {
		r.BinDirs = s.Runtime.BinDirs
	}
	found, incomplete := inspect.Orphans(ctx, s, a, r.stateDir, r.CacheDir)
	shown := make([]shownOrphan, len(found))
	for i, o := range found {
		shown[i] = shownOrphan{
			ContainerID: o.ContainerID, IfName: o.IfName, Network: o.Network, Pod: o.Pod,
			Source: o.Source, Proof: o.Proof, Command: o.Command(),
		}
		if yes && !r.dryRun {
			r.releaseOrphan(ctx, o, &shown[i])
		}
	}
	var err error
	if r.output.JSON() {
		err = cli.PrintJSON(cmd.OutOrStdout(), shown)
	} else {
		err = printOrphans(cmd.OutOrStdout(), found, shown, incomplete)
	}
	if err == nil {
		err = orphansLeft(shown, incomplete)
	}
	return err
}

// findNetworks finds the runtime and the networks of pods. Without a runtime the site is
// a usual cache only.
func (r *releasing) findNetworks(ctx context.Context) (site.Site, assess.Assessment) {
	s, err := site.FindRunning(ctx, "", site.Overrides{CacheDir: r.CacheDir})
	if err != nil {
		s = site.Site{CacheDir: r.CacheDir}
		if s.CacheDir == "" {
			s.CacheDir = release.CacheDirs()[0]
		}
		return s, assess.Assessment{}
	}
	selection, err := conflist.Select(s.ConfDir, s.Runtime)
	if err != nil {
		return s, assess.Assessment{}
	}
	if !slices.Contains(r.ConfDirs, s.ConfDir) {
		r.ConfDirs = append([]string{s.ConfDir}, r.ConfDirs...)
	}
	return s, assess.Assess(selection, assess.Intent{})
}

// releaseOrphan releases one orphan, as its command does, and sets Outcome or Error.
func (r *releasing) releaseOrphan(ctx context.Context, o inspect.Orphan, shown *shownOrphan) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	one := *r
	one.ContainerID, one.IfName, one.Network, one.CacheDir = o.ContainerID, o.IfName, o.Network, o.CacheDir
	one.force = o.Unknown
	outcome, err := one.release(ctx)
	if err != nil {
		shown.Error = err.Error()
		return
	}
	shown.Outcome = &outcome
}

// orphansLeft returns the exit code as an error: ExitFindings if an orphan was not
// released, else ExitUnknown if the list is incomplete.
func orphansLeft(shown []shownOrphan, incomplete error) error {
	left := 0
	for _, o := range shown {
		if o.Outcome == nil || !o.Outcome.Complete {
			left++
		}
	}
	switch {
	case left > 0:
		return cli.Exit(cli.ExitFindings)
	case incomplete != nil:
		return incomplete
	}
	return nil
}

func printOrphans(w io.Writer, found []inspect.Orphan, shown []shownOrphan, incomplete error) error {
	if len(found) == 0 {
		if incomplete != nil {
			return nil // there may be some
		}
		_, err := fmt.Fprintln(w, "no orphans: no attachment of a pod that is proved to be gone is left")
		return err
	}
	for i, o := range shown {
		status := "the pod is gone; not released"
		switch {
		case o.Error != "":
			status = "NOT released: " + o.Error
		case o.Outcome != nil && o.Outcome.Complete:
			status = "released in full"
		case o.Outcome != nil:
			status = "NOT released in full"
		}
		if _, err := printable.Fprintf(w, "%s, %s in network %s: %s\n", found[i].Name(), o.IfName, o.Network, status); err != nil {
			return err
		}
		printable.Fprintf(w, "  in    %s\n  proof %s\n", o.Source, strings.Join(o.Proof, "; "))
		if o.Outcome == nil || !o.Outcome.Complete {
			printable.Fprintf(w, "  run   %s\n", o.Command)
		}
	}
	if shown[0].Outcome == nil && shown[0].Error == "" {
		fmt.Fprintln(w, "\nguardctl release --orphans --yes releases all of them; it first checks each again.")
	}
	return nil
}

// cleanEnvironment removes what plugins must not inherit through libcni: with
// CNI_NETNS_OVERRIDE they would accept the node's namespace.
func cleanEnvironment() error {
	if err := errors.Join(os.Unsetenv("CNI_NETNS_OVERRIDE"), os.Setenv(release.Variable, "1")); err != nil {
		return fmt.Errorf("clean environment: %w", err)
	}
	return nil
}
