// SPDX-License-Identifier: Apache-2.0

package firewall

import "strings"

// owners knows by names who makes rules.
type owners struct {
	iptablesNFT bool            // iptables-nft has rules
	ufw, docker map[string]bool // by backend and family: it has chains in the table filter
}

func ownersOf(tables []*table) owners {
	o := owners{ufw: map[string]bool{}, docker: map[string]bool{}}
	for _, t := range tables {
		for _, c := range t.chains {
			if t.backend == backendIPTablesNFT && len(c.rules) > 0 {
				o.iptablesNFT = true
			}
			if !t.iptables || t.name != "filter" {
				continue
			}
			key := t.backend + t.family
			o.ufw[key] = o.ufw[key] || strings.HasPrefix(c.name, "ufw")
			o.docker[key] = o.docker[key] || c.name == "DOCKER-USER" || c.name == "DOCKER-FORWARD" || strings.HasPrefix(c.name, "DOCKER-ISOLATION")
		}
	}
	return o
}

// chainOwners are the first letters of the chains of who makes them.
func chainOwners() map[string]string {
	return map[string]string{
		"ufw": "ufw", "DOCKER": "Docker", "KUBE-ROUTER": "kube-router", "KUBE-NWPLCY": "kube-router", "KUBE-POD-FW": "kube-router",
		"KUBE-": "kube-proxy or kubelet", "cali": "Calico", "FLANNEL": "flannel", "LIBVIRT": "libvirt", "CILIUM": "Cilium", "WEAVE": "Weave",
		"IN_": "firewalld", "FWD_": "firewalld", "INPUT_ZONES": "firewalld", "FORWARD_IN_ZONES": "firewalld", "FORWARD_ZONES": "firewalld", "f2b-": "fail2ban", "nixos-fw": "NixOS",
	}
}

// of returns who made the rule, or set the policy.
func (o owners) of(d drop) string {
	t := d.chain.table
	if t.name == "firewalld" {
		return "firewalld"
	}
	if !t.iptables {
		return ""
	}
	best, owner := 0, ""
	for prefix, name := range chainOwners() {
		if len(prefix) > best && strings.HasPrefix(d.chain.name, prefix) {
			best, owner = len(prefix), name
		}
	}
	key := t.backend + t.family
	switch {
	case owner != "" || d.at >= 0 || t.name != "filter":
		return owner
	case o.ufw[key]:
		return "ufw"
	case o.docker[key] && d.chain.name == "FORWARD":
		return "Docker"
	}
	return ""
}
