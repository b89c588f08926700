// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// goneFinding says that the guard lost its place since it was installed, as when
// the primary plugin wrote its file anew. After an uninstallation that is right.
func (n *confNode) goneFinding(s conflist.Selection) []confFinding {
	anywhere := slices.ContainsFunc(s.Files, func(f conflist.File) bool { return isValid(&f) && guarded(&f) })
	if n.installed == "" || n.leaving() || anywhere {
		return nil
	}
	c := confFinding{File: n.path(n.installed), Command: "guardctl install"}
	if f := fileOf(s, n.installed); f == nil {
		c.Problem = "guardctl install put cni-guard into it, and it is gone; no other file has cni-guard in it: pods start without the guard"
	} else if guarded(f) {
		return nil // it is invalid, which is said
	} else {
		c.Problem = "guardctl install put cni-guard into it, and it is not there any more: somebody, mostly the network plugin, wrote the file anew; pods start without the guard"
	}
	return []confFinding{c}
}

// leaving tells whether guardctl uninstall was run, and only the programs are left
// to go.
func (n *confNode) leaving() bool {
	return slices.ContainsFunc(n.runtime.BinDirs, func(dir string) bool {
		_, err := os.Stat(filepath.Join(dir, checks.PassThroughMarker))
		return err == nil
	})
}

// missingFindings names the plugins of the network that are in no plugin folder.
func (n *confNode) missingFindings(s conflist.Selection) (all []confFinding) {
	f := s.Effective()
	if f == nil || n.assumed || len(n.runtime.BinDirs) == 0 || n.roleOf(s, f) == roleRogue {
		return nil // what is to go away needs no plugins
	}
	for _, plugin := range slices.Compact(slices.Sorted(slices.Values(f.Plugins))) {
		if n.hasPlugin(plugin) {
			continue
		}
		c := confFinding{
			File:    n.path(f.Name),
			Problem: fmt.Sprintf("its plugin %q is not in %s: no pod can start", plugin, strings.Join(n.runtime.BinDirs, ", ")),
			Remedy:  fmt.Sprintf("install the program of %q there; if the runtime has another folder of plugins, --bin-dir says which", plugin),
		}
		if plugin == conflist.GuardType {
			c.Command = "guardctl install"
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
