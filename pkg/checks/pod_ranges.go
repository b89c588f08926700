// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
	"github.com/cni-guard/cni-guard/pkg/hostconf"
)

// flannelEnv is where flannel writes what it was given, unless the entry of its
// plugin names another file (flannel-io/cni-plugin, subnetFile).
const flannelEnv = "/run/flannel/subnet.env"

// podRanges returns the ranges of the guard's own file: those of host-local, or
// flannel's, which is read below root. An address manager that the guard does not
// know may give any address, so that there is no range then.
func (d *confDir) podRanges(root hostconf.Root) (podRanges, error) {
	all := podRanges{from: "host-local in " + assess.QuoteName(d.Path(d.ownFile))}
	for _, p := range d.ownList.Plugins {
		if p.Type == "flannel" {
			return flannelRanges(root, p)
		}
		found, judged, err := hostLocal(p)
		switch {
		case errors.Is(err, errPodCIDRByNode):
			return canalRanges(root)
		case err != nil:
			return podRanges{}, fmt.Errorf("read ranges of plugin %s in %s: %w", p.Type, assess.QuoteName(d.Path(d.ownFile)), err)
		case !judged:
			return podRanges{}, nil
		}
		all.prefixes = append(all.prefixes, found...)
	}
	return all, nil
}

// A rangeEntry is the part of a plugin's entry that says where addresses lie
// (plugins/ipam/host-local in containernetworking/plugins).
type rangeEntry struct {
	IPAM struct {
		Type   string
		Subnet string
		Ranges [][]struct{ Subnet string }
	}
	// With ipRanges, the runtime adds ranges to each call.
	Capabilities struct{ IPRanges bool }
}

// subnets returns what the entry has for subnets, as it is written.
func (e rangeEntry) subnets() []string {
	texts := []string{e.IPAM.Subnet}
	for _, set := range e.IPAM.Ranges {
		for _, r := range set {
			texts = append(texts, r.Subnet)
		}
	}
	return texts
}

// errPodCIDRByNode says that the plugin puts the podCIDR of the Node object in the
// place of a word, at each call.
var errPodCIDRByNode = errors.New("the subnet is the podCIDR of the Node object")

// hostLocal returns the ranges of an entry; judged is false where the addresses may
// come from elsewhere.
func hostLocal(p conflist.Plugin) (found []netip.Prefix, judged bool, err error) {
	var e rangeEntry
	if err := json.Unmarshal(p.Raw, &e); err != nil {
		return nil, true, err
	}
	switch {
	case e.Capabilities.IPRanges:
		return nil, false, nil
	case e.IPAM.Type != "host-local":
		return nil, e.IPAM.Type == "", nil
	}
	found, err = prefixes(e.subnets())
	if err == nil || takesEntryAsItIs(p.Type) {
		return found, true, err
	}
	// A plugin of a network's own may fill in the subnet, as calico does with these
	// two words (projectcalico/calico, cni-plugin/internal/pkg/utils).
	byNode := func(text string) bool {
		return strings.EqualFold(text, "usePodCidr") || strings.EqualFold(text, "usePodCidrIPv6")
	}
	if slices.ContainsFunc(e.subnets(), byNode) {
		return nil, true, errPodCIDRByNode
	}
	return nil, false, nil
}

// takesEntryAsItIs reports whether a plugin hands its configuration to the address
// manager without a change: the reference plugins do (containernetworking/plugins).
func takesEntryAsItIs(plugin string) bool {
	return slices.Contains([]string{"bridge", "ptp", "macvlan", "ipvlan", "vlan", "host-device", "dummy", "tap"}, plugin)
}

// flannelRanges reads the network of the whole cluster, not the node's share of
// it: a pod may keep its address while the node is given another share.
func flannelRanges(root hostconf.Root, p conflist.Plugin) (podRanges, error) {
	path, err := subnetFile(p)
	if err != nil {
		return podRanges{}, err
	}
	env, err := readFlannelEnv(root, path)
	if err != nil {
		return podRanges{}, err
	}
	return podRanges{env.networks, "flannel, in " + path}, nil
}

// canalRanges returns flannel's networks where flannel runs: Canal is Calico's plugin
// with flannel's routes. Calico without flannel has the ranges in the API alone.
func canalRanges(root hostconf.Root) (podRanges, error) {
	env, err := readFlannelEnv(root, flannelEnv)
	if errors.Is(err, fs.ErrNotExist) {
		return podRanges{}, nil
	}
	if err != nil {
		return podRanges{}, err
	}
	return podRanges{env.networks, "flannel, in " + flannelEnv}, nil
}

// subnetFile returns the file that an entry of flannel's plugin names.
func subnetFile(p conflist.Plugin) (string, error) {
	var e struct{ SubnetFile string }
	if err := json.Unmarshal(p.Raw, &e); err != nil {
		return "", fmt.Errorf("read entry of flannel: %w", err)
	}
	if e.SubnetFile == "" {
		return flannelEnv, nil
	}
	return e.SubnetFile, nil
}

// A flannelNetwork is what flanneld wrote for its plugin.
type flannelNetwork struct {
	networks []netip.Prefix // of the cluster
	subnets  []netip.Prefix // of the node, as FLANNEL_SUBNET has them: with the bridge's address
}

// readFlannelEnv reads the file of flanneld. The error wraps fs.ErrNotExist where
// there is none.
func readFlannelEnv(root hostconf.Root, path string) (flannelNetwork, error) {
	env, err := root.ReadFile(path)
	if err != nil {
		return flannelNetwork{}, fmt.Errorf("read networks of flannel: %w", err)
	}
	var networks, subnets []string
	for line := range strings.Lines(string(env)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch key {
		case "FLANNEL_NETWORK", "FLANNEL_IPV6_NETWORK":
			networks = append(networks, strings.Split(value, ",")...)
		case "FLANNEL_SUBNET", "FLANNEL_IPV6_SUBNET":
			subnets = append(subnets, value)
		}
	}
	var n flannelNetwork
	if n.networks, err = prefixes(networks); err != nil {
		return flannelNetwork{}, fmt.Errorf("read networks of flannel in %s: %w", path, err)
	}
	for _, text := range subnets {
		if text == "" {
			continue
		}
		subnet, err := netip.ParsePrefix(strings.TrimSpace(text))
		if err != nil {
			return flannelNetwork{}, fmt.Errorf("read subnet of flannel in %s: %w", path, err)
		}
		n.subnets = append(n.subnets, subnet)
	}
	return n, nil
}

// prefixes reads networks; bits beyond the length are host-local's to forgive.
func prefixes(texts []string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, text := range texts {
		if text == "" {
			continue
		}
		p, err := netip.ParsePrefix(strings.TrimSpace(text))
		if err != nil {
			return nil, err
		}
		all = append(all, p.Masked())
	}
	return all, nil
}
