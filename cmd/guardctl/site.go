// SPDX-License-Identifier: Apache-2.0

package main

import (
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/site"
)

// siteFlags are the flags by which an operator says what a node has.
type siteFlags struct {
	cmd        *cobra.Command
	overrides  site.Overrides
	runtime    string
	binDir     string
	maxConfNum int
	network    string
}

func newSiteFlags(cmd *cobra.Command) *siteFlags {
	f := &siteFlags{cmd: cmd}
	flags := cmd.Flags()
	flags.StringVar(&f.runtime, "runtime", "", "containerd, crio or cri-dockerd (default: the one that is found)")
	flags.StringVar(&f.overrides.ConfDir, "conf-dir", "", "where the runtime looks for configurations (default: as the runtime's own configuration says)")
	flags.StringVar(&f.binDir, "bin-dir", "", "where it looks for plugins, folders separated by colons (default: likewise)")
	flags.StringVar(&f.overrides.CacheDir, "cache-dir", "", "the cache of the runtime's libcni (default: where the runtime has it)")
	flags.IntVar(&f.maxConfNum, "max-conf-num", 1, "containerd's max_conf_num (default: as configured)")
	flags.StringVar(&f.network, "default-network", "", "CRI-O's cni_default_network (default: as configured)")
	return f
}

// find finds the site, with what the flags say.
func (f *siteFlags) find() (site.Site, error) {
	o := f.overrides
	if err := o.Runtime.UnmarshalText([]byte(f.runtime)); err != nil {
		return site.Site{}, err
	}
	o.BinDirs = filepath.SplitList(f.binDir)
	if f.cmd.Flags().Changed("max-conf-num") {
		o.MaxConfNum = &f.maxConfNum
	}
	if f.cmd.Flags().Changed("default-network") {
		o.DefaultNetwork = &f.network
	}
	return site.Find("", o)
}

// said reports whether a flag says anything.
func (f *siteFlags) said() bool {
	for _, name := range []string{"runtime", "conf-dir", "bin-dir", "cache-dir", "max-conf-num", "default-network"} {
		if f.cmd.Flags().Changed(name) {
			return true
		}
	}
	return false
}
