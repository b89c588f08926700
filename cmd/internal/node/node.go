// SPDX-License-Identifier: Apache-2.0

// Package node describes the node that a command works on: the site with its runtime and
// conf dir, the guard's configuration, and the network that the operator intends.
package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/internal/cli"
	"github.com/cni-guard/cni-guard/cmd/internal/inspect"
	"github.com/cni-guard/cni-guard/cmd/internal/installer"
	"github.com/cni-guard/cni-guard/cmd/internal/pluginquery"
	"github.com/cni-guard/cni-guard/cmd/internal/site"
	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
)

// A Node is the node that a command works on. The flags describe it until Find,
// FindFiles or FindRecorded completes Site.
type Node struct {
	*cli.SiteFlags

	Site    site.Site
	Assumed bool              // no runtime and no plugin directory was found or named: Site is a guess
	Notes   []string          // how the site was found, a sentence each
	Record  *installer.Record // of the installation; nil if there is none or it cannot be read

	// Plugins has the answers of plugins that were asked before. Copies of the node share it.
	Plugins *pluginquery.Cache

	// SourceDestCheck asks AWS, for the checks (checks.Target); nil if it may not be asked.
	SourceDestCheck func(context.Context, net.HardwareAddr) (checks.CloudInterface, error)

	// Recording is what was recorded of a node; nil for the node that this process is on.
	Recording Recording
}

// A Recording is a node as it was at an earlier time.
type Recording interface {
	// Target returns what the checks look at.
	Target(GuardEntry) *checks.Target
	// Suite returns the checks in a form in which one that looks at what was not recorded
	// is unknown.
	Suite([]*checks.Check) []*checks.Check
}

// New adds the flags that describe a node to a command and to those below it.
func New(cmd *cobra.Command) *Node {
	return &Node{SiteFlags: cli.NewSiteFlags(cmd, cmd.PersistentFlags()), Plugins: new(pluginquery.Cache)}
}

// Find finds the site as it is now; the flags override what is found.
func (n *Node) Find(ctx context.Context) error {
	if err := n.EnterRoot(); err != nil {
		return err
	}
	o, err := n.Overrides()
	if err != nil {
		return err
	}
	n.Site, err = site.FindRunning(ctx, "", o)
	if errors.Is(err, site.ErrNone) && o.Runtime == 0 {
		n.Site, err = withoutRuntime(o)
		n.Assumed = len(o.BinDirs) == 0
	}
	if err != nil {
		return cli.Unknown(err, "name the runtime with --runtime, or its directory with --conf-dir")
	}
	n.Notes = n.Site.How
	n.Site.Runtime.Supports = n.Plugins.SupportsFunc(pluginquery.Timeout)
	n.Record, err = installer.ReadRecord(n.RecordDir)
	switch {
	case errors.Is(err, fs.ErrPermission):
		n.Notes = append(n.Notes, "this user cannot read the installation record: run this as root to take it into account")
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		n.Notes = append(n.Notes, err.Error())
	}
	return nil
}

// withoutRuntime returns a site with the rules of containerd, which most nodes run, for
// a node without a runtime: a rescue system, or the image of a node.
func withoutRuntime(o site.Overrides) (site.Site, error) {
	o.Runtime, o.Assumed = conflist.Containerd, true
	s, err := site.Find("", o)
	if err != nil {
		return s, err
	}
	s.How = append([]string{"no runtime was found: the rules of containerd are assumed; --runtime names another one"}, s.How...)
	if o.ConfDir != "" {
		return s, nil
	}
	for _, dir := range conflist.ConfDirs() {
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			s.ConfDir = dir
			s.How = append(s.How, fmt.Sprintf("the conf dir is %s, the first of the usual ones that exists", dir))
			return s, nil
		}
	}
	return s, fmt.Errorf("find conf dir: %w, and none of %s exists", site.ErrNone, strings.Join(conflist.ConfDirs(), ", "))
}

// FindFiles returns the names of files that are arguments, and finds the site with
// their directory as its conf dir.
func (n *Node) FindFiles(ctx context.Context, args ...string) (names []string, err error) {
	for _, arg := range args {
		name, err := n.FileArg(arg)
		if err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, n.Find(ctx)
}

// FindRecorded takes the site from the installation record, so that a changed runtime
// does not hide a change of its files. Flags override the record.
func (n *Node) FindRecorded(ctx context.Context, r *installer.Record) error {
	if n.Changed("runtime", "max-conf-num", "default-network", "bin-dir") {
		return n.Find(ctx)
	}
	n.Site = site.Site{
		ConfDir: cmp.Or(n.ConfDir, r.Site.ConfDir),
		Runtime: conflist.Runtime{
			Kind: r.Site.Runtime, MaxConfNum: r.Site.MaxConfNum, DefaultNetwork: r.Site.DefaultNetwork,
			BinDirs: r.Site.BinDirs, Supports: n.Plugins.SupportsFunc(pluginquery.Timeout),
		},
	}
	return nil
}

// Assess judges the conf dir with everything known about this node.
func (n *Node) Assess() (assess.Assessment, error) {
	s, err := conflist.Select(n.Site.ConfDir, n.Site.Runtime)
	if err != nil {
		return assess.Assessment{}, err
	}
	return assess.Assess(s, n.Intent(s)), nil
}

// InspectChain checks the binaries of the plugins in use. It returns nil if the plugin
// directory is a guess.
func (n *Node) InspectChain(ctx context.Context, a assess.Assessment) []inspect.Problem {
	if n.Assumed {
		return nil
	}
	return inspect.Chain(ctx, a, n.Given())
}
