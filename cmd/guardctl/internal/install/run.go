// SPDX-License-Identifier: Apache-2.0

package install

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/internal/cli"
	"github.com/cni-guard/cni-guard/cmd/internal/installer"
	"github.com/cni-guard/cni-guard/cmd/internal/pluginquery"
	"github.com/cni-guard/cni-guard/cmd/internal/site"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

// changeFlags are the flags of install, uninstall and upgrade.
type changeFlags struct {
	cmd     *cobra.Command
	site    *cli.SiteFlags
	request installer.Request
}

func newChangeFlags(cmd *cobra.Command) *changeFlags {
	c := &changeFlags{cmd: cmd, site: cli.NewSiteFlags(cmd, cmd.Flags())}
	cmd.Flags().BoolVar(&c.request.DryRun, "dry-run", false, "only print what would be done")
	return c
}

// run makes a plan and carries it out. It prints each step, or with --dry-run the plan.
func (c *changeFlags) run(plan func(installer.Request) (installer.Plan, error), done, nothing string) error {
	if err := c.complete(); err != nil {
		return changeFailed(err)
	}
	notes, err := c.once(plan, done, nothing)
	c.sayNotes(notes)
	return err
}

func (c *changeFlags) sayNotes(notes []string) {
	for _, note := range notes {
		c.say("note: %s\n", note)
	}
}

// once makes a plan, carries it out, and returns its notes. It prints done or nothing,
// whichever it was.
func (c *changeFlags) once(plan func(installer.Request) (installer.Plan, error), done, nothing string) (notes []string, err error) {
	if !c.request.DryRun {
		release, err := installer.Lock(c.request.RecordDir, c.request.Site.ConfDir)
		if err != nil {
			return nil, changeFailed(err)
		}
		defer release()
	}
	p, steps, err := c.do(plan)
	if err != nil {
		return nil, changeFailed(err)
	}
	switch {
	case steps == 0 && nothing == "":
	case steps == 0:
		c.say("%s\n", nothing)
	case !c.request.DryRun:
		c.say("%s\n", done)
	}
	return p.Notes, nil
}

// complete finds the site and the programs.
func (c *changeFlags) complete() error {
	r := &c.request
	r.RecordDir = c.site.RecordDir
	r.Supports = new(pluginquery.Cache).SupportsFunc(installer.StartTimeout)
	if r.From == "" && c.cmd.Name() != "uninstall" {
		self, err := os.Executable()
		if err != nil {
			return fmt.Errorf("find the programs: %w: name their directory with --from", err)
		}
		r.From = filepath.Dir(self)
	}
	if root := c.site.Root; root != "" {
		if err := r.Enter(root); err != nil {
			return err
		}
		c.say("the node is at %s; the paths below are those on the node\n", root)
	}
	var err error
	if r.Site, err = c.find(); err != nil {
		return err
	}
	r.Elsewhere = r.Site.ConfDirs("/")
	return nil
}

// find returns the recorded site, so that a node can be cleaned up whatever happened to its
// runtime. For install, without a record, or if flags describe the site, it finds the site.
func (c *changeFlags) find() (site.Site, error) {
	record, err := installer.ReadRecord(c.request.RecordDir)
	switch {
	case c.cmd.Name() != "install" && err == nil && !c.site.Changed():
		s := record.Site.Site()
		if moved, ok := c.moved(s); ok {
			return moved, nil
		}
		c.say("installed in %s, for %s with %s\n", s.BinDir, s.Runtime.Kind, s.ConfDir)
		return s, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return site.Site{}, err
	}
	s, err := c.site.Find(c.cmd.Context())
	for _, why := range s.How {
		c.say("%s\n", why)
	}
	return s, err
}

// moved returns the site as it is now, for an upgrade, if the runtime no longer looks for
// plugins in the recorded directory: k3s before v1.31.1 moves it with every release.
func (c *changeFlags) moved(then site.Site) (site.Site, bool) {
	if c.cmd.Name() != "upgrade" {
		return site.Site{}, false
	}
	now, err := c.site.Find(c.cmd.Context())
	if err != nil || filepath.Clean(now.ConfDir) != filepath.Clean(then.ConfDir) || len(now.Runtime.BinDirs) == 0 {
		return site.Site{}, false
	}
	for _, dir := range now.Runtime.BinDirs {
		a, errA := os.Stat(dir)
		b, errB := os.Stat(then.BinDir)
		if filepath.Clean(dir) == filepath.Clean(then.BinDir) || errA == nil && errB == nil && os.SameFile(a, b) {
			return site.Site{}, false
		}
	}
	c.say("installed in %s, where the runtime no longer looks: it looks in %s\n", then.BinDir, now.BinDir)
	return now, true
}

// do makes the plan and carries it out or, with --dry-run, prints it. It returns the
// number of steps.
func (c *changeFlags) do(plan func(installer.Request) (installer.Plan, error)) (p installer.Plan, steps int, err error) {
	if !c.request.DryRun {
		return installer.Do(c.request, plan, func(s installer.Step) { c.say("%s\n", s.Does) })
	}
	if p, err = plan(c.request); err != nil {
		return p, 0, err
	}
	for _, s := range p.Steps {
		c.say("would %s\n%s", s.Does, printable.Text(s.Diff))
	}
	return p, len(p.Steps), nil
}

func (c *changeFlags) say(format string, args ...any) {
	_, _ = printable.Fprintf(c.cmd.OutOrStdout(), format, args...)
}

// changeFailed returns the error without a general hint, as it has a remedy of its own.
func changeFailed(err error) error {
	var exit *cli.ExitError
	if errors.As(err, &exit) {
		return exit
	}
	exit = &cli.ExitError{Code: cli.ExitUnknown, Err: err}
	if errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0 {
		exit.Hint = cli.AsRoot
	}
	return exit
}
