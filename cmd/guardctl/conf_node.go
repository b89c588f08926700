// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/cli"
	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/installer"
	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/pluginquery"
	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/site"
	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// A confNode is whose folder of configurations is meant: first what the flags say
// of it, and from find on what it is.
type confNode struct {
	*cli.SiteFlags

	site             site.Site
	dir              string
	runtime          conflist.Runtime
	assumed          bool // that there is a runtime: none was found
	internalLoopback bool // as in site.Site
	how              []string
	record           *installer.Record // nil where guardctl install wrote none, or it cannot be read
}

// newConfNode gives the flags to a command and to those below it.
func newConfNode(cmd *cobra.Command) *confNode {
	return &confNode{SiteFlags: cli.NewSiteFlags(cmd, cmd.PersistentFlags())}
}

// find looks at the node where the flags leave something open.
func (n *confNode) find() error {
	if err := n.EnterRoot(); err != nil {
		return err
	}
	o, err := n.Overrides()
	if err != nil {
		return err
	}
	s, err := site.FindRunning(context.Background(), "", o)
	if errors.Is(err, site.ErrNone) && o.Runtime == 0 {
		s, err = withoutRuntime(o)
		n.assumed = len(o.BinDirs) == 0
	}
	if err != nil {
		return &cli.ExitError{Code: cli.ExitUnknown, Err: err, Hint: "name the runtime with --runtime, or its folder with --conf-dir"}
	}
	n.site, n.dir, n.runtime, n.internalLoopback, n.how = s, s.ConfDir, s.Runtime, s.InternalLoopback, s.How
	n.runtime.Supports = pluginquery.SupportsFunc(pluginquery.Timeout)
	n.record, err = installer.ReadRecord(n.RecordDir)
	switch {
	case errors.Is(err, fs.ErrPermission):
		n.how = append(n.how, "the record of the installation cannot be read by this user: root can")
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		n.how = append(n.how, err.Error())
	}
	return nil
}

// withoutRuntime takes the rules of containerd, which most nodes have, where none
// is found: in a rescue system, or in the image of a node.
func withoutRuntime(o site.Overrides) (site.Site, error) {
	o.Runtime, o.Assumed = conflist.Containerd, true
	s, err := site.Find("", o)
	if err != nil {
		return s, err
	}
	s.How = append([]string{"no runtime was found, so the rules of containerd are assumed; --runtime names another one"}, s.How...)
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
	return s, fmt.Errorf("find folder of configurations: %w, and none of %s is there", site.ErrNone, strings.Join(conflist.ConfDirs(), ", "))
}

// findWith finds the node of files that are arguments, and returns their names.
func (n *confNode) findWith(args ...string) (names []string, err error) {
	for _, arg := range args {
		name, err := n.FileArg(arg)
		if err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, n.find()
}
