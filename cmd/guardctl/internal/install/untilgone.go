// SPDX-License-Identifier: Apache-2.0

package install

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/cni-guard/cni-guard/cmd/internal/cli"
	"github.com/cni-guard/cni-guard/cmd/internal/installer"
	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// tryAgain is how long uninstall --until-gone waits before it tries again.
const tryAgain = time.Minute

// uninstallUntilGone uninstalls again and again until the programs are gone, and then waits
// to be stopped: a container that ends would be started again. An error does not end it, as
// the cause may be gone the next time; it is printed when it changes.
func (c *changeFlags) uninstallUntilGone(done, nothing string) error {
	if c.request.DryRun {
		return cli.UsageError(errors.New("--until-gone and --dry-run exclude each other"))
	}
	ctx, stop := signal.NotifyContext(c.cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := c.complete(); err != nil {
		return changeFailed(err)
	}
	return c.repeat(ctx, tryAgain, func() ([]string, error) {
		notes, err := c.once(installer.Uninstall, done, nothing)
		nothing = "" // once is enough
		return notes, err
	})
}

// repeat calls uninstall until the plugin is gone, and then waits for the end of ctx.
func (c *changeFlags) repeat(ctx context.Context, every time.Duration, uninstall func() ([]string, error)) error {
	var last []string
	plugin := filepath.Join(c.request.Site.BinDir, conflist.GuardType)
	for {
		notes, err := uninstall()
		if err != nil {
			notes = []string{"error: " + err.Error()}
		}
		if !slices.Equal(notes, last) {
			c.sayNotes(notes)
		}
		last = notes
		if _, statErr := os.Lstat(plugin); err == nil && errors.Is(statErr, os.ErrNotExist) {
			c.say("the programs are gone; waiting to be stopped\n")
			<-ctx.Done()
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(every):
		}
	}
}
