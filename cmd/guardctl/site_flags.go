// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/site"
	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// siteFlags are what an operator may say of the node, where it is not as it
// looks. What is not said is found.
type siteFlags struct {
	runtime, confDir, binDirs, cacheDir, network string
	maxConfNum                                   int
	flags                                        *cobra.Command
}

func (f *siteFlags) add(cmd *cobra.Command) {
	f.flags = cmd
	flags := cmd.Flags()
	flags.StringVar(&f.runtime, "runtime", "", "whose rules hold: containerd, crio or cri-dockerd (default: the one that is found)")
	flags.StringVar(&f.confDir, "conf-dir", "", "where the runtime looks for network configurations (default: as it is configured)")
	flags.StringVar(&f.binDirs, "bin-dir", "", "where the runtime looks for plugins, folders separated by colons (default: as it is configured)")
	flags.IntVar(&f.maxConfNum, "max-conf-num", 1, "max_conf_num of containerd, 0 for all (default: as it is configured)")
	flags.StringVar(&f.network, "default-network", "", "cni_default_network of CRI-O (default: as it is configured)")
	complete := cobra.FixedCompletions([]string{"containerd", "crio", "cri-dockerd"}, cobra.ShellCompDirectiveNoFileComp)
	if err := cmd.RegisterFlagCompletionFunc("runtime", complete); err != nil {
		panic(err) // the flag was added above
	}
}

// addCache adds the flag for those who read what the runtime remembers.
func (f *siteFlags) addCache(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.cacheDir, "cache-dir", "", "the cache of the runtime's libcni (default: the usual one of the runtime)")
}

// find gives the node as it is, or as the operator says that it is.
func (f *siteFlags) find() (site.Site, error) {
	o, err := f.overrides()
	if err != nil {
		return site.Site{}, err
	}
	s, err := site.Find("", o)
	if err != nil {
		return s, &exitError{code: cannotTell, err: err, hint: "say it with --runtime, --conf-dir and --bin-dir"}
	}
	return s, nil
}

func (f *siteFlags) overrides() (o site.Overrides, err error) {
	if f.runtime != "" {
		if o.Runtime, err = conflist.ParseKind(f.runtime); err != nil {
			return o, fmt.Errorf("read --runtime: %w", err)
		}
	}
	var errs []error
	o.ConfDir, err = absolute(f.confDir)
	errs = append(errs, err)
	o.CacheDir, err = absolute(f.cacheDir)
	errs = append(errs, err)
	for _, dir := range filepath.SplitList(f.binDirs) {
		dir, err := absolute(dir)
		o.BinDirs, errs = append(o.BinDirs, dir), append(errs, err)
	}
	if f.flags.Flags().Changed("max-conf-num") {
		o.MaxConfNum = &f.maxConfNum
	}
	if f.flags.Flags().Changed("default-network") {
		o.DefaultNetwork = &f.network
	}
	return o, errors.Join(errs...)
}

// absolute leaves nothing as it is.
func absolute(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	return filepath.Abs(path)
}
