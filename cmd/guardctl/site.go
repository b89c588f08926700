// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/installer"
	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/site"
)

// siteFlags are the flags by which an operator says what a node has.
type siteFlags struct {
	flags      *pflag.FlagSet
	overrides  site.Overrides
	runtime    string
	binDir     string
	endpoint   string
	maxConfNum int
	network    string
	root       string
}

// newSiteFlags gives a command the flags, among flags, which are its own or those
// that the commands below it have as well.
func newSiteFlags(cmd *cobra.Command, flags *pflag.FlagSet) *siteFlags {
	f := &siteFlags{flags: flags}
	flags.StringVar(&f.runtime, "runtime", "", "the runtime of the node: containerd, crio or cri-dockerd (default: the one that is found)")
	flags.StringVar(&f.endpoint, "runtime-endpoint", "", "the socket at which the runtime serves CRI (default: the usual one)")
	flags.StringVar(&f.overrides.ConfDir, "conf-dir", "", "where the runtime looks for configurations (default: as the runtime's own configuration says)")
	flags.StringVar(&f.binDir, "bin-dir", "", "where the runtime looks for plugins, folders separated by colons (default: as the runtime's own configuration says)")
	flags.StringVar(&f.overrides.CacheDir, "cache-dir", "", "the cache of the runtime's libcni (default: the runtime's)")
	flags.IntVar(&f.maxConfNum, "max-conf-num", 1, "containerd: how many files it loads, 0 for all (default: as configured)")
	flags.StringVar(&f.network, "default-network", "", "CRI-O: its cni_default_network (default: as configured)")
	flags.StringVar(&f.root, "root", "", "in a container: where the file system of the node is mounted; all other paths are then those on the node")
	flags.Lookup("max-conf-num").DefValue = "0" // or the help names a second default
	complete := cobra.FixedCompletions([]string{"containerd", "crio", "cri-dockerd"}, cobra.ShellCompDirectiveNoFileComp)
	if err := cmd.RegisterFlagCompletionFunc("runtime", complete); err != nil {
		panic(err) // the flag was added above
	}
	return f
}

// enter has all paths be those of the node that --root names. It has no effect the
// second time.
func (f *siteFlags) enter() error {
	root := f.root
	if f.root = ""; root == "" {
		return nil
	}
	if err := installer.EnterRoot(root); err != nil {
		return &exitError{code: cannotTell, err: err}
	}
	return nil
}

// find finds the site, with what the flags say.
func (f *siteFlags) find() (site.Site, error) {
	o, err := f.says()
	if err != nil {
		return site.Site{}, err
	}
	return site.FindRunning(context.Background(), "", o) // the flags may be those of a parent, which has no context
}

// says gives what the flags say.
func (f *siteFlags) says() (site.Overrides, error) {
	o := f.overrides
	if err := o.Runtime.UnmarshalText([]byte(f.runtime)); err != nil {
		return o, usageError(err)
	}
	o.Socket = strings.TrimPrefix(f.endpoint, "unix://")
	o.BinDirs = filepath.SplitList(f.binDir)
	if f.flags.Changed("max-conf-num") {
		o.MaxConfNum = &f.maxConfNum
	}
	if f.flags.Changed("default-network") {
		o.DefaultNetwork = &f.network
	}
	return o, nil
}

// said reports whether a flag says anything.
func (f *siteFlags) said() bool {
	for _, name := range []string{"runtime", "runtime-endpoint", "conf-dir", "bin-dir", "cache-dir", "max-conf-num", "default-network"} {
		if f.flags.Changed(name) {
			return true
		}
	}
	return false
}
