// SPDX-License-Identifier: Apache-2.0

package conflist

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
)

// Multus reports whether a file is one of Multus, thin or thick, by the types of its plugins.
func (f File) Multus() bool { return slices.ContainsFunc(f.Plugins, isMultus) }

// Multus reports whether a list is one of Multus; see [File.Multus].
func (l List) Multus() bool {
	return slices.ContainsFunc(l.Plugins, func(p Plugin) bool { return isMultus(p.Type) })
}

func isMultus(plugin string) bool { return plugin == "multus" || plugin == "multus-shim" }

// A MultusConfig is what a list of Multus says of the network that it hands pods on to.
// Where both Delegate and ClusterNetwork are "" Multus takes what it finds.
type MultusConfig struct {
	// Delegate is the name of the first network below "delegates", whose configuration
	// stands there. The others are networks beside the pod's own.
	Delegate string
	// DelegatePlugins are the types of its plugins as they stand there: Multus calls
	// these, and not those of the file that it copied them from.
	DelegatePlugins []string
	// ClusterNetwork is a network, an object of the cluster, or the path of a file as
	// Multus sees it, which may be in a container.
	ClusterNetwork string
	// Readiness is the file that Multus waits for on every ADD (readinessindicatorfile).
	ReadinessFile string
	// SocketDir is the folder of the thick plugin's socket; "" is the default.
	SocketDir string
	// Kubeconfig is the file by which the thin plugin reaches the API server.
	Kubeconfig string
}

// MultusConfig returns what a list of Multus says. It is zero for other lists, and for
// one that cannot be read.
func (l List) MultusConfig() (h MultusConfig) {
	for _, p := range l.Plugins {
		if !isMultus(p.Type) {
			continue
		}
		var conf struct {
			Delegates []struct {
				Name    string `json:"name"`
				Type    string `json:"type"`
				Plugins []struct {
					Type string `json:"type"`
				} `json:"plugins"`
			} `json:"delegates"`
			ClusterNetwork         string `json:"clusterNetwork"`
			ReadinessIndicatorFile string `json:"readinessindicatorfile"`
			SocketDir              string `json:"socketDir"`
			Kubeconfig             string `json:"kubeconfig"`
		}
		if json.Unmarshal(p.Raw, &conf) != nil {
			return MultusConfig{}
		}
		h = MultusConfig{
			ClusterNetwork: conf.ClusterNetwork, ReadinessFile: conf.ReadinessIndicatorFile,
			SocketDir: conf.SocketDir, Kubeconfig: conf.Kubeconfig,
		}
		if len(conf.Delegates) > 0 {
			first := conf.Delegates[0]
			h.Delegate, h.ClusterNetwork = first.Name, ""
			if first.Type != "" {
				h.DelegatePlugins = append(h.DelegatePlugins, first.Type)
			}
			for _, p := range first.Plugins {
				h.DelegatePlugins = append(h.DelegatePlugins, p.Type)
			}
		}
		return h
	}
	return h
}

// Names reports whether a network is named at all.
func (h MultusConfig) NamesNetwork() bool { return h.Delegate != "" || h.ClusterNetwork != "" }

// To reports whether it is the network of a file; name is that of the file. Where
// no network is named every file may be it.
func (h MultusConfig) DelegatesTo(name, network string) bool {
	switch {
	case h.Delegate != "":
		return h.Delegate == network
	case h.ClusterNetwork != "":
		return h.ClusterNetwork == network || filepath.Base(h.ClusterNetwork) == name
	}
	return true
}

// DelegatesTo reports whether a list is one of Multus that hands pods on to a network;
// name is that of the network's file.
func (l List) DelegatesTo(name, network string) bool {
	return l.Multus() && l.MultusConfig().DelegatesTo(name, network)
}

// DelegateFile returns the file of a folder that a file of Multus hands pods on to: the
// one whose network it names or, where it names none, the first that is not its
// own, which Multus takes when it makes its configuration by itself. The guard
// belongs into that file.
func DelegateFile(dir string, multus List, r Runtime) (name string, l List, err error) {
	names, err := Names(dir)
	if err != nil {
		return "", List{}, err
	}
	for _, name := range names {
		l, err := ReadAs(dir, name, r)
		if err == nil && !l.Multus() && multus.DelegatesTo(name, l.Name) {
			return name, l, nil
		}
	}
	return "", List{}, fmt.Errorf("find the file that Multus hands pods on to: there is none of that network in %s", dir)
}
