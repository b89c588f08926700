// SPDX-License-Identifier: Apache-2.0

package chain

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/containernetworking/cni/libcni"

	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/release"
)

// left returns what no DEL without a namespace removes, as clauses.
func (c *Chain) left() []string {
	var left []string
	for _, p := range c.others() {
		left = append(left, c.leftBy(p)...)
	}
	return append(left, c.hostInterfaces()...)
}

// leftBy returns what one plugin leaves behind (containernetworking/plugins v1.9.1).
// bridge and ptp read the address of a masquerade rule from the namespace, and bridge
// removes the rules of macspoofchk only if there is a namespace. portmap and firewall
// need no namespace, but the runtime's cache.
func (c *Chain) leftBy(p *libcni.PluginConfig) []string {
	var conf struct {
		IPMasq      bool `json:"ipMasq"`
		MACSpoofChk bool `json:"macspoofchk"`
	}
	_ = json.Unmarshal(p.Bytes, &conf) // an invalid value asks for no rules
	var left []string
	name := p.Network.Type
	if conf.IPMasq {
		left = append(left, fmt.Sprintf("masquerade rules of plugin %s for %s (they name container %s)", name, c.addresses(), c.attachment.ContainerID))
	}
	switch {
	case name == "bridge" && conf.MACSpoofChk:
		left = append(left, "nftables rules of macspoofchk for container "+c.attachment.ContainerID)
	case name == "host-device":
		left = append(left, "the device of host-device, until the namespace ends and the kernel moves it back")
	case name == "portmap" && !c.fromADD:
		left = append(left, "rules of plugin portmap, if the pod has host ports; only the runtime's cache would list them")
	case name == "firewall" && c.current == nil:
		left = append(left, "rules of plugin firewall for the pod's address; only the runtime's cache would list it")
	}
	return left
}

// addresses returns the pod's addresses from the result of the ADD, for messages.
func (c *Chain) addresses() string {
	if c.current == nil {
		return "an unknown address"
	}
	var addrs []string
	for _, ip := range c.current.IPs {
		if ip != nil {
			addrs = append(addrs, ip.Address.IP.String())
		}
	}
	return strings.Join(addrs, ", ")
}

// hostInterfaces returns the pod's interfaces that still exist on the node, as clauses.
// They end with the sandbox, so one that exists belongs to a sandbox that is alive. Only
// a MAC in the result proves that an interface is the pod's: the name alone could be
// that of the node's uplink.
func (c *Chain) hostInterfaces() []string {
	if c.current == nil {
		return nil
	}
	node, err := netstate.OpenNode()
	if err != nil {
		return nil
	}
	defer node.Close()
	var left []string
	for _, iface := range c.current.Interfaces {
		if iface == nil || iface.Sandbox != "" || iface.Mac == "" {
			continue
		}
		link, err := node.Link(iface.Name)
		if err != nil || link.Kind != "veth" || !strings.EqualFold(link.MAC.String(), iface.Mac) {
			continue
		}
		if peer, err := node.VethPeer(iface.Name); err == nil && peer.Away {
			left = append(left, "interface "+iface.Name+", whose peer is in a namespace that still exists")
		}
	}
	return left
}

// notCalled returns the outcome for a plugin that must not be called, and what it
// leaves behind.
func (c *Chain) notCalled(p *libcni.PluginConfig, reason string) (release.Plugin, []string) {
	name := p.Network.Type
	outcome := release.Plugin{Type: name, Result: release.NotCalled, Note: reason}
	if name == "portmap" && c.fromADD && c.runtime.CapabilityArgs["portMappings"] == nil ||
		name == "firewall" && c.current == nil {
		return outcome, nil // it made no rules, or leftBy names them
	}
	return outcome, []string{fmt.Sprintf("rules of plugin %s for %s, if there are any; its DEL was not called: %s", name, c.addresses(), reason)}
}

// keptAddress returns what a plugin keeps although its DEL succeeds, if it does.
func (c *Chain) keptAddress(p *libcni.PluginConfig) (left string, keeps bool) {
	for _, k := range release.AddressKeepers() {
		if k.Type == p.Network.Type {
			return fmt.Sprintf("%s in %s, because the DEL of %s does nothing without a namespace; to free the address, %s (%s)",
				c.addresses(), k.Database, k.Type, k.Remedy, c.attachment.ContainerID), true
		}
	}
	return "", false
}
