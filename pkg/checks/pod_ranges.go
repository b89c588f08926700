// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
)

// flannelEnv is where flannel writes what it was given, unless the entry of its
// plugin names another file (flannel-io/cni-plugin, subnetFile).
const flannelEnv = "/run/flannel/subnet.env"

// podRanges gives the ranges of the guard's own file: those of host-local, or
// flannel's. An address manager that the guard does not know may give any address,
// so that there is no range then.
func (f *folder) podRanges() (podRanges, error) {
	all := podRanges{from: "host-local in " + assess.QuoteName(f.Path(f.own))}
	for _, p := range f.mine.Plugins {
		if p.Type == "flannel" {
			return flannelRanges(p)
		}
		found, judged, err := hostLocal(p)
		if err != nil {
			return podRanges{}, fmt.Errorf("read ranges of plugin %s in %s: %w", p.Type, assess.QuoteName(f.Path(f.own)), err)
		}
		if !judged {
			return podRanges{}, nil
		}
		all.Prefixes = append(all.Prefixes, found...)
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

// hostLocal gives the ranges of an entry; judged is false where the addresses may
// come from elsewhere.
func hostLocal(p conflist.Plugin) (found Prefixes, judged bool, err error) {
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
	texts := []string{e.IPAM.Subnet}
	for _, set := range e.IPAM.Ranges {
		for _, r := range set {
			texts = append(texts, r.Subnet)
		}
	}
	found, err = prefixes(texts)
	return found, true, err
}

// flannelRanges reads the network of the whole cluster, not the node's share of
// it: a pod may keep its address while the node is given another share.
func flannelRanges(p conflist.Plugin) (podRanges, error) {
	var e struct{ SubnetFile string }
	if err := json.Unmarshal(p.Raw, &e); err != nil {
		return podRanges{}, fmt.Errorf("read entry of flannel: %w", err)
	}
	path := e.SubnetFile
	if path == "" {
		path = flannelEnv
	}
	env, err := os.ReadFile(path)
	if err != nil {
		return podRanges{}, fmt.Errorf("read networks of flannel: %w", err)
	}
	var texts []string
	for line := range strings.Lines(string(env)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if key == "FLANNEL_NETWORK" || key == "FLANNEL_IPV6_NETWORK" {
			texts = append(texts, strings.Split(value, ",")...)
		}
	}
	found, err := prefixes(texts)
	if err != nil {
		return podRanges{}, fmt.Errorf("read networks of flannel in %s: %w", path, err)
	}
	return podRanges{found, "flannel, in " + path}, nil
}

// prefixes reads networks; bits beyond the length are host-local's to forgive.
func prefixes(texts []string) (Prefixes, error) {
	var all Prefixes
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
