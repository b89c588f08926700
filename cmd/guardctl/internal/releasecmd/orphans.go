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

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/cli"
	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/inspect"
	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/site"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
	"github.com/cni-guard/cni-guard/pkg/printable"
	"github.com/cni-guard/cni-guard/pkg/release"
)

// A shownOrphan is an orphan as release --orphans prints it in JSON.
type shownOrphan struct {
	ContainerID string           `json:"containerID"`
	IfName      string           `json:"ifName"`
	Network     string           `json:"network"`
	Pod         string           `json:"pod,omitempty"`
	Source      string           `json:"source"`  // the file that has it
	Proof       []string         `json:"proof"`   // that the sandbox is gone
	Command     string           `json:"command"` // what releases it alone
	Outcome     *release.Outcome `json:"outcome,omitempty"`
	Error       string           `json:"error,omitempty"` // why it was not released
}

// orphans lists what pods that are gone still hold and, with yes, releases each, if
// another look says once more that the pod is gone.
func (r *releasing) orphans(cmd *cobra.Command, yes, binDirGiven bool) error {
	if err := cleanEnvironment(); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s, a := r.whereOrphansAre(ctx)
	if !binDirGiven && len(s.Runtime.BinDirs) > 0 {
		r.BinDirs = s.Runtime.BinDirs
	}
	found, trouble := inspect.Orphans(ctx, s, a, r.stateDir, r.CacheDir)
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
		err = printOrphans(cmd.OutOrStdout(), found, shown, trouble)
	}
	if err == nil {
		err = orphansLeft(shown, trouble)
	}
	return err
}

// whereOrphansAre finds the runtime and the networks that pods get. Where no runtime
// is found, the usual caches are looked at all the same.
func (r *releasing) whereOrphansAre(ctx context.Context) (site.Site, assess.Assessment) {
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

// releaseOrphan releases one orphan, as the command for it does.
func (r *releasing) releaseOrphan(ctx context.Context, o inspect.Orphan, shown *shownOrphan) {
	ctx, cancel := context.WithTimeout(ctx, patience)
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

// orphansLeft returns the exit code: findings where something is still held.
func orphansLeft(shown []shownOrphan, trouble error) error {
	left := 0
	for _, o := range shown {
		if o.Outcome == nil || !o.Outcome.Complete {
			left++
		}
	}
	switch {
	case left > 0:
		return cli.Exit(cli.ExitFindings)
	case trouble != nil:
		return &cli.ExitError{Code: cli.ExitUnknown, Err: trouble}
	}
	return nil
}

func printOrphans(w io.Writer, found []inspect.Orphan, shown []shownOrphan, trouble error) error {
	if len(found) == 0 {
		if trouble != nil {
			return nil // whether there are any is not known
		}
		_, err := fmt.Fprintln(w, "no pod that is gone is known to hold anything")
		return err
	}
	for i, o := range shown {
		became := "gone, and not released"
		switch {
		case o.Error != "":
			became = "NOT released: " + o.Error
		case o.Outcome != nil && o.Outcome.Complete:
			became = "released in full"
		case o.Outcome != nil:
			became = "NOT released in full"
		}
		if _, err := printable.Fprintf(w, "%s, %s in network %s: %s\n", found[i].Name(), o.IfName, o.Network, became); err != nil {
			return err
		}
		printable.Fprintf(w, "  in    %s\n  proof %s\n", o.Source, strings.Join(o.Proof, "; "))
		if o.Outcome == nil || !o.Outcome.Complete {
			printable.Fprintf(w, "  run   %s\n", o.Command)
		}
	}
	if shown[0].Outcome == nil && shown[0].Error == "" {
		fmt.Fprintln(w, "\nguardctl release --orphans --yes releases all of them; it looks at each once more first.")
	}
	return nil
}

// cleanEnvironment keeps from the plugins what is in ours: libcni hands it on, and
// CNI_NETNS_OVERRIDE would tell them that the node's namespace is meant.
func cleanEnvironment() error {
	if err := errors.Join(os.Unsetenv("CNI_NETNS_OVERRIDE"), os.Setenv(release.Variable, "1")); err != nil {
		return fmt.Errorf("clean environment: %w", err)
	}
	return nil
}
