// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
)

// missingPlugins names the plugins of the network that are in no plugin folder.
func (n *confNode) missingPlugins(a assess.Assessment) (all []confFinding) {
	f := a.Selection.Effective()
	if f == nil || n.assumed || len(n.runtime.BinDirs) == 0 || a.Role(f.Name) == assess.Rogue {
		return nil // what is to go away needs no plugins
	}
	for _, plugin := range slices.Compact(slices.Sorted(slices.Values(f.Plugins))) {
		if n.hasPlugin(plugin) {
			continue
		}
		c := confFinding{
			Kind: "plugin-missing", File: n.path(f.Name), Role: a.Role(f.Name), Pods: "no pod can start",
			Problem: fmt.Sprintf("needs the plugin %q, which is not in %s", plugin, strings.Join(n.runtime.BinDirs, ", ")),
			Remedy:  fmt.Sprintf("install the program of %q there; if the runtime has another folder of plugins, --bin-dir says which", plugin),
		}
		if plugin == conflist.GuardType {
			c.Command, c.Remedy = "guardctl install"+n.given(), ""
		}
		all = append(all, c)
	}
	return all
}

func (n *confNode) hasPlugin(plugin string) bool {
	return slices.ContainsFunc(n.runtime.BinDirs, func(dir string) bool {
		info, err := os.Stat(filepath.Join(dir, plugin))
		return err == nil && info.Mode().IsRegular()
	})
}
