// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"slices"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

func isMultus(f *conflist.File) bool {
	return slices.Contains(f.Plugins, "multus") || slices.Contains(f.Plugins, "multus-shim")
}

// delegates tells whether a file of Multus hands pods on to a network. Where it
// does not write its delegates out (clusterNetwork) it is believed.
func delegates(dir string, f *conflist.File, network string) bool {
	l, err := conflist.Read(dir, f.Name)
	if err != nil {
		return false
	}
	for _, p := range l.Plugins {
		var conf struct {
			Delegates []struct {
				Name string `json:"name"`
			} `json:"delegates"`
		}
		if json.Unmarshal(p.Raw, &conf) != nil || len(conf.Delegates) == 0 {
			continue
		}
		for _, d := range conf.Delegates {
			if d.Name == network {
				return true
			}
		}
		return false
	}
	return true
}
