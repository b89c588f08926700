// SPDX-License-Identifier: Apache-2.0

package conflist

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
)

// Multus tells a file of Multus, thin or thick, by the types of its plugins.
func (f File) Multus() bool { return slices.ContainsFunc(f.Plugins, isMultus) }

// Multus tells a file of Multus; see [File.Multus].
func (l List) Multus() bool {
	return slices.ContainsFunc(l.Plugins, func(p Plugin) bool { return isMultus(p.Type) })
}

func isMultus(plugin string) bool { return plugin == "multus" || plugin == "multus-shim" }

// HandsOnTo tells a file of Multus that hands pods on to a network; name is that
// of the network's file. Where Multus names none it takes what it finds, and is
// believed.
func (l List) HandsOnTo(name, network string) bool {
	if !l.Multus() {
		return false
	}
	for _, p := range l.Plugins {
		if !isMultus(p.Type) {
			continue
		}
		var conf struct {
			Delegates []struct {
				Name string `json:"name"`
			} `json:"delegates"`
			ClusterNetwork string `json:"clusterNetwork"`
		}
		switch {
		case json.Unmarshal(p.Raw, &conf) != nil:
		case len(conf.Delegates) > 0:
			return conf.Delegates[0].Name == network // the others are networks beside the pod's own
		case conf.ClusterNetwork != "": // a network, or a file as Multus's container sees it
			return conf.ClusterNetwork == network || filepath.Base(conf.ClusterNetwork) == name
		}
	}
	return true
}

// Delegate gives the file of a folder that a file of Multus hands pods on to: the
// one whose network it names or, where it names none, the first that is not its
// own, which Multus takes when it makes its configuration by itself. The guard
// belongs into that file.
func Delegate(dir string, multus List, r Runtime) (name string, l List, err error) {
	names, err := Names(dir)
	if err != nil {
		return "", List{}, err
	}
	for _, name := range names {
		l, err := Look(dir, name, r)
		if err == nil && !l.Multus() && multus.HandsOnTo(name, l.Name) {
			return name, l, nil
		}
	}
	return "", List{}, fmt.Errorf("find the file that Multus hands pods on to: there is none of that network in %s", dir)
}
