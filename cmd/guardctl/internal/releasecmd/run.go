// SPDX-License-Identifier: Apache-2.0

package releasecmd

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/internal/attachment"
	"github.com/cni-guard/cni-guard/cmd/internal/chain"
	"github.com/cni-guard/cni-guard/cmd/internal/cli"
	"github.com/cni-guard/cni-guard/pkg/ledger"
	"github.com/cni-guard/cni-guard/pkg/release"
)

const (
	// timeout is that of the plugin that started this program, less the time to abandon
	// plugins that hang and to print the outcome of the others.
	timeout = release.Deadline - 15*time.Second
	// lockWait is how long a release may wait for another one of the same attachment. The
	// other process reports the outcome of a longer one.
	lockWait = time.Second
)

// A releasing is one call of guardctl release.
type releasing struct {
	chain.Attachment

	stateDir, netns           string
	force, dryRun, forRuntime bool
	output                    *cli.Format
}

func (r *releasing) run(cmd *cobra.Command) error {
	if err := cleanEnvironment(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
	defer cancel()
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()

	o, err := r.release(ctx)
	if err != nil {
		return cannotRelease(cmd, o, err, r.output)
	}
	if r.output.JSON() {
		err = cli.PrintJSON(cmd.OutOrStdout(), o)
	} else {
		err = printOutcome(cmd.OutOrStdout(), r.Attachment, o)
	}
	switch {
	case err != nil:
		return err
	case o.Reason != "": // a dry run of a release that would be refused
		return cli.Exit(cli.ExitUnknown)
	case !o.Complete && !o.DryRun:
		return incomplete()
	case o.KeepsAddress() && !r.forRuntime: // the plugin ignores a complete outcome if the program fails
		return &cli.ExitError{Code: cli.ExitFindings}
	}
	return nil
}

// release releases the attachment. The error says why nothing was tried.
func (r *releasing) release(ctx context.Context) (release.Outcome, error) {
	if err := r.Validate(); err != nil {
		return release.Outcome{}, err
	}
	if err := r.resolve(); err != nil {
		return release.Outcome{}, err
	}
	r.Args = inheritedArgs(r.Attachment)
	unlock, unlocked := r.lock(ctx)
	if errors.Is(unlocked, ledger.ErrHeld) {
		return release.Outcome{}, unlocked
	}
	defer unlock()

	known := attachment.Lookup(r.Attachment, r.stateDir)
	if known.IsReleased(r.netns) {
		return release.Outcome{Complete: true, Already: true, DryRun: r.dryRun, Plugins: []release.Plugin{}}, nil
	}
	judgement, refusal := r.judge(known)
	if refusal != nil && !r.dryRun {
		return judged(release.Outcome{}, judgement), refusal
	}
	c, err := chain.Find(r.Attachment)
	if err != nil {
		return release.Outcome{}, err
	}
	book := known.BeginRelease(c.Addrs(), r.netns, r.dryRun)
	if errors.Is(book.Err(), ledger.ErrReplaced) {
		return release.Outcome{}, book.Err()
	}
	if r.dryRun {
		o := judged(c.Plan(book), judgement)
		if refusal != nil {
			o.Reason = refusal.Error()
		}
		return o, nil
	}
	o := judged(c.Release(ctx, book), judgement)
	book.Close(o.Complete)
	if err := errors.Join(unlocked, book.Err()); err != nil {
		o.Unrecorded = err.Error()
	}
	return o, nil
}

// lock keeps other processes from releasing the attachment. If that fails, the release
// goes on without the plugins that must not run twice.
func (r *releasing) lock(ctx context.Context) (unlock func(), err error) {
	if r.dryRun {
		return func() {}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	key := ledger.Key{Network: r.Network, ContainerID: r.ContainerID, IfName: r.IfName}
	if unlock, err = ledger.Ledger(r.stateDir).Lock(ctx, key); err != nil {
		return func() {}, err
	}
	return unlock, nil
}

func judged(o release.Outcome, j attachment.Liveness) release.Outcome {
	o.Verdict, o.Evidence = j.Verdict, j.Evidence
	return o
}

// resolve completes an abbreviated container ID, and finds the cache. A failed ADD may
// leave no record, so with --force an unknown ID is used as it is. An ID that looks
// abbreviated is not: plugins would succeed for it and release nothing.
func (r *releasing) resolve() error {
	if r.forRuntime {
		r.CacheDir = release.Request{ContainerID: r.ContainerID, IfName: r.IfName, Network: r.Network, CacheDir: r.CacheDir}.Cache()
		return nil
	}
	a, err := attachment.Resolve(r.Attachment, r.stateDir)
	if errors.Is(err, attachment.ErrUnknown) && r.force && !attachment.IsShortID(a.ContainerID) {
		err = nil
	}
	r.Attachment = a
	return err
}

// judge returns whether the sandbox is alive, and an error if that forbids a release by
// hand. A runtime that sends a DEL has ended the pod.
func (r *releasing) judge(known attachment.Info) (attachment.Liveness, error) {
	if r.forRuntime {
		return attachment.Liveness{}, nil
	}
	j := known.Liveness()
	if j.Verdict == release.Gone || r.force {
		return j, nil
	}
	return j, &livingError{r.Attachment, j}
}
