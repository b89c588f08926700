// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"encoding/json"
	"errors"
	"io/fs"
	"slices"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// networkList returns the file with the guard or, where there is none, the file that the
// runtime selects; the zero List where there is neither. The error says that the
// directory could not be read.
func (t *Target) networkList() (conflist.List, error) {
	if t.Conf.Network == "" && t.Conf.Dir == "" {
		return conflist.List{}, nil
	}
	r, _ := t.runtime()
	d, err := t.confDir(r, nil)
	if err == nil {
		return d.ownList, nil
	}
	if !errors.Is(err, errNoOwnFile) && !errors.Is(err, fs.ErrNotExist) {
		return conflist.List{}, err
	}
	file, err := conflist.Effective(t.Conf.Dir, r)
	if err != nil {
		return conflist.List{}, nil // there is none, which the check conflist reports
	}
	list, _ := r.Read(t.Conf.Dir, file.Name)
	return list, nil
}

// networkPlugins returns the plugins of networkList; none where it cannot be read.
func (t *Target) networkPlugins() []conflist.Plugin {
	list, _ := t.networkList()
	return list.Plugins
}

// bridgeOf returns the bridge that a plugin puts pods on; "" for a plugin that has
// none. Both have cni0 by default (plugins/main/bridge, flannel-io/cni-plugin).
func bridgeOf(p conflist.Plugin) string {
	var e struct {
		Bridge   string
		Delegate struct{ Type, Bridge string }
	}
	if json.Unmarshal(p.Raw, &e) != nil {
		return ""
	}
	switch {
	case p.Type == "bridge":
		return orDefault(e.Bridge, "cni0")
	case p.Type == "flannel" && (e.Delegate.Type == "" || e.Delegate.Type == "bridge"):
		return orDefault(e.Delegate.Bridge, "cni0")
	}
	return ""
}

func orDefault(value, byDefault string) string {
	if value == "" {
		return byDefault
	}
	return value
}

// vpcNative returns the plugin that assigns pods addresses of the node's own network, by
// design; "" where none does.
func vpcNative(plugins []conflist.Plugin) string {
	for _, p := range plugins {
		if slices.Contains([]string{
			"aws-cni", "vpc-bridge", "vpc-branch-eni", "azure-vnet", "gke", "netd", "terway", "huawei-cni", "tke-route-eni", "tke-eni-ipamc",
			"macvlan", "ipvlan", "sriov", "ib-sriov", "host-device", "vlan", "ovs", "accelerated-bridge",
		}, p.Type) {
			return p.Type
		}
		var e struct {
			ENI  json.RawMessage
			IPAM struct{ Type, Mode string }
		}
		// cilium-cni in ENI mode has "eni", and its operator "ipam": {"mode": "eni"}.
		if p.Type == "cilium-cni" && json.Unmarshal(p.Raw, &e) == nil && (len(e.ENI) > 0 || e.IPAM.Mode == "eni" || e.IPAM.Type == "azure-vnet-ipam") {
			return "cilium-cni with addresses of the cloud"
		}
	}
	return ""
}
