// SPDX-License-Identifier: Apache-2.0

package conflist

import (
	"encoding/json"
	"fmt"
	"path/filepath"
)

// A MultusConfig is what a file of Multus says about the pods' own network. If neither
// Delegate nor ClusterNetwork is set, Multus uses the first file that it finds.
type MultusConfig struct {
	// Delegate is the name of the first network below "delegates", whose configuration
	// is embedded there. The others are additional networks.
	Delegate string
	// DelegatePlugins are the types of its embedded plugins. Multus calls these, and not
	// those of the file from which it copied them.
	DelegatePlugins []string
	// ClusterNetwork is a network, a NetworkAttachmentDefinition, or the path of a file
	// as Multus sees it, possibly in a container.
	ClusterNetwork string
	// ReadinessFile is the file that Multus waits for on every ADD
	// (readinessindicatorfile).
	ReadinessFile string
	// SocketDir is the directory of the thick plugin's socket; "" is the default.
	SocketDir string
	// Kubeconfig is the thin plugin's kubeconfig file.
	Kubeconfig string
}

// MultusConfig returns the configuration of Multus in a list. It is zero for a list
// without Multus, and for one that cannot be parsed.
func (l List) MultusConfig() (c MultusConfig) {
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
		c = MultusConfig{
			ClusterNetwork: conf.ClusterNetwork, ReadinessFile: conf.ReadinessIndicatorFile,
			SocketDir: conf.SocketDir, Kubeconfig: conf.Kubeconfig,
		}
		if len(conf.Delegates) > 0 {
			first := conf.Delegates[0]
			c.Delegate, c.ClusterNetwork = first.Name, ""
			if first.Type != "" {
				c.DelegatePlugins = append(c.DelegatePlugins, first.Type)
			}
			for _, p := range first.Plugins {
				c.DelegatePlugins = append(c.DelegatePlugins, p.Type)
			}
		}
		return c
	}
	return c
}

// NamesNetwork reports whether the pods' own network is configured.
func (c MultusConfig) NamesNetwork() bool { return c.Delegate != "" || c.ClusterNetwork != "" }

// DelegatesTo reports whether Multus may delegate pods to the network of a file. If no
// network is configured, that may be any file.
func (c MultusConfig) DelegatesTo(file, network string) bool {
	switch {
	case c.Delegate != "":
		return c.Delegate == network
	case c.ClusterNetwork != "":
		return c.ClusterNetwork == network || filepath.Base(c.ClusterNetwork) == file
	}
	return true
}

// DelegatesTo reports whether a list is one of Multus that may delegate pods to the
// network of a file.
func (l List) DelegatesTo(file, network string) bool {
	return l.Multus() && l.MultusConfig().DelegatesTo(file, network)
}

// DelegateFile returns the file to which a list of Multus delegates pods: the one with
// the configured network, or else the first that is not Multus's own, which Multus uses
// when it generates its configuration. The guard belongs into that file.
func DelegateFile(dir string, multus List, r Runtime) (name string, l List, err error) {
	names, err := r.Names(dir)
	if err != nil {
		return "", List{}, err
	}
	for _, name := range names {
		l, err := ReadAs(dir, name, r)
		if err == nil && !l.Multus() && multus.DelegatesTo(name, l.Name) {
			return name, l, nil
		}
	}
	return "", List{}, fmt.Errorf("find the file to which Multus delegates pods: no file in %s has that network", dir)
}
