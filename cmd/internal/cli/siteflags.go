// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cni-guard/cni-guard/cmd/internal/installer"
	"github.com/cni-guard/cni-guard/cmd/internal/site"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

// SiteFlags are the flags that describe a node: its runtime and its directories.
type SiteFlags struct {
	ConfDir   string // as given; "" to find it
	Root      string // where the node's file system is mounted; "" outside a container
	RecordDir string // of the record of the installation

	flags      *pflag.FlagSet
	runtime    string
	endpoint   string
	binDir     string
	cacheDir   string
	maxConfNum int
	network    string
	rooted     bool
}

// siteFlagNames are the flags that change what is found on the node.
func siteFlagNames() []string {
	return []string{"runtime", "runtime-endpoint", "conf-dir", "bin-dir", "cache-dir", "max-conf-num", "default-network"}
}

// NewSiteFlags adds the flags to flags, which are those of cmd alone or those that the
// commands below it have as well.
func NewSiteFlags(cmd *cobra.Command, flags *pflag.FlagSet) *SiteFlags {
	f := &SiteFlags{flags: flags}
	flags.StringVar(&f.runtime, "runtime", "", "container runtime of the node: containerd, crio or cri-dockerd (default: detected)")
	flags.StringVar(&f.endpoint, "runtime-endpoint", "", "CRI socket of the runtime (default: the usual one)")
	flags.StringVar(&f.ConfDir, "conf-dir", "", "directory from which the runtime loads network configurations (default: from the runtime's configuration)")
	flags.StringVar(&f.binDir, "bin-dir", "", "directories in which the runtime looks for plugins, separated by colons (default: from the runtime's configuration)")
	flags.StringVar(&f.cacheDir, "cache-dir", "", "cache of the runtime's libcni (default: the runtime's)")
	flags.IntVar(&f.maxConfNum, "max-conf-num", 1, "containerd: number of files to load, 0 for all (default: as configured)")
	flags.StringVar(&f.network, "default-network", "", "CRI-O: its cni_default_network (default: as configured)")
	flags.StringVar(&f.Root, "root", "", "in a container: where the node's file system is mounted; all other paths are then those on the node")
	flags.StringVar(&f.RecordDir, "record-dir", installer.RecordDir, "directory of the installation record")
	flags.Lookup("max-conf-num").DefValue = "0" // or the help names a second default
	Complete(cmd, "runtime", "containerd", "crio", "cri-dockerd")
	return f
}

// EnterRoot makes the file system at Root that of this process. Calling it again has no
// effect.
func (f *SiteFlags) EnterRoot() error {
	root := f.Root
	if f.Root = ""; root == "" {
		return nil
	}
	if err := installer.EnterRoot(root); err != nil {
		return Unknown(err, "")
	}
	f.rooted = true
	return nil
}

// Rooted reports whether EnterRoot has changed the root of this process.
func (f *SiteFlags) Rooted() bool { return f.rooted }

// Find finds the site; the flags override what is found.
func (f *SiteFlags) Find(ctx context.Context) (site.Site, error) {
	o, err := f.Overrides()
	if err != nil {
		return site.Site{}, err
	}
	return site.FindRunning(ctx, "", o)
}

// Overrides returns what the flags say of the site.
func (f *SiteFlags) Overrides() (site.Overrides, error) {
	o := site.Overrides{
		Socket: strings.TrimPrefix(f.endpoint, "unix://"), ConfDir: f.ConfDir,
		BinDirs: filepath.SplitList(f.binDir), CacheDir: f.cacheDir,
	}
	if err := o.Runtime.UnmarshalText([]byte(f.runtime)); err != nil {
		return o, UsageError(err)
	}
	if f.flags.Changed("max-conf-num") {
		o.MaxConfNum = &f.maxConfNum
	}
	if f.flags.Changed("default-network") {
		o.DefaultNetwork = &f.network
	}
	return o, nil
}

// Changed reports whether one of these flags was given; without names, whether any flag
// was that changes what is found on the node.
func (f *SiteFlags) Changed(names ...string) bool {
	if len(names) == 0 {
		names = siteFlagNames()
	}
	return slices.ContainsFunc(names, f.flags.Changed)
}

// Given returns the flags that were given, with a space before each, so that a command
// that is printed works as it stands. It leaves out those named in except.
func (f *SiteFlags) Given(except ...string) string {
	var b strings.Builder
	f.flags.VisitAll(func(flag *pflag.Flag) {
		if flag.Changed && slices.Contains(append(siteFlagNames(), "record-dir"), flag.Name) && !slices.Contains(except, flag.Name) {
			printable.Fprintf(&b, " --%s %s", flag.Name, printable.Word(flag.Value.String()))
		}
	})
	return b.String()
}

// FileArg returns the name of a file of the conf dir. The argument is that name, or a path
// whose directory becomes ConfDir.
func (f *SiteFlags) FileArg(arg string) (name string, err error) {
	if !strings.ContainsRune(arg, filepath.Separator) {
		return arg, nil
	}
	dir, err := filepath.Abs(filepath.Dir(arg))
	if err != nil {
		return "", err
	}
	if given := f.ConfDir; given != "" && filepath.Clean(given) != dir && filepath.Clean(given) != filepath.Dir(arg) {
		return "", UsageError(fmt.Errorf("%s is not in --conf-dir %s: leave out one of the two", arg, given))
	}
	f.ConfDir = dir
	return filepath.Base(arg), nil
}
