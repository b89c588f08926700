// SPDX-License-Identifier: Apache-2.0

package chain

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/containernetworking/cni/libcni"

	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// left lists what no DEL without a namespace cleans, as clauses for people.
func (c *Chain) left() []string {
	var left []string
	for _, p := range c.others() {
		left = append(left, c.leftBy(p)...)
	}
	return append(left, c.hostInterfaces()...)
}

// leftBy lists what one plugin leaves (containernetworking/plugins v1.9.1). bridge
// and ptp read the address that a masquerade rule is for in the namespace, and
// bridge looks after macspoofchk only where there is one. portmap and firewall
// need not the namespace but what the runtime's cache says.
func (c *Chain) leftBy(p *libcni.PluginConfig) []string {
	var conf struct {
		IPMasq      bool `json:"ipMasq"`
		MACSpoofChk bool `json:"macspoofchk"`
	}
	_ = json.Unmarshal(p.Bytes, &conf) // an odd value is one that does not ask for rules
	var left []string
	name := p.Network.Type
	if conf.IPMasq {
		left = append(left, fmt.Sprintf("the masquerade rules of plugin %s for %s (they name container %s)", name, c.addresses(), c.attachment.ContainerID))
	}
	switch {
	case name == "bridge" && conf.MACSpoofChk:
		left = append(left, "the nftables rules of macspoofchk for container "+c.attachment.ContainerID)
	case name == "host-device":
		left = append(left, "the device of host-device, until the kernel gives it back when the namespace ends")
	case name == "portmap" && !c.remembered:
		left = append(left, "the rules of plugin portmap if the pod has host ports, which only the runtime's cache tells")
	case name == "firewall" && c.answer == nil:
		left = append(left, "the rules of plugin firewall for the pod's address, which only the runtime's cache tells")
	}
	return left
}

// addresses gives the pod's addresses as ADD answered them.
func (c *Chain) addresses() string {
	if c.answer == nil {
		return "an address that is not known"
	}
	var addrs []string
	for _, ip := range c.answer.IPs {
		if ip != nil {
			addrs = append(addrs, ip.Address.IP.String())
		}
	}
	return strings.Join(addrs, ", ")
}

// hostInterfaces names the pod's interfaces on the node that are still there.
// They go when the sandbox ends; one that stays has a sandbox that did not. Only
// a MAC that ADD gave proves that an interface is the pod's: a name alone may be
// that of the node's uplink.
func (c *Chain) hostInterfaces() []string {
	if c.answer == nil {
		return nil
	}
	node, err := netstate.OpenNode()
	if err != nil {
		return nil
	}
	defer node.Close()
	var left []string
	for _, iface := range c.answer.Interfaces {
		if iface == nil || iface.Sandbox != "" || iface.Mac == "" {
			continue
		}
		link, err := node.Link(iface.Name)
		if err != nil || link.Kind != "veth" || !strings.EqualFold(link.MAC.String(), iface.Mac) {
			continue
		}
		if peer, err := node.VethPeer(iface.Name); err == nil && peer.Away {
			left = append(left, "interface "+iface.Name+", whose peer is in a namespace that still lives")
		}
	}
	return left
}
