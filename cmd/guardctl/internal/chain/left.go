// SPDX-License-Identifier: Apache-2.0

package chain

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/containernetworking/cni/libcni"
	current "github.com/containernetworking/cni/pkg/types/100"

	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// left lists what no DEL without a namespace cleans, as clauses for people.
func (c *Chain) left() []string {
	result := c.result()
	if result == nil {
		return nil
	}
	var left []string
	if rules := c.masquerade(result); rules != "" {
		left = append(left, rules)
	}
	return append(left, hostInterfaces(result)...)
}

// result gives what ADD answered, or nil where it is not known.
func (c *Chain) result() *current.Result {
	if c.entry == nil {
		return nil
	}
	cni := libcni.NewCNIConfigWithCacheDir(nil, c.attachment.CacheDir, nil)
	cached, err := cni.GetNetworkListCachedResult(c.list, c.runtime)
	if err != nil || cached == nil {
		return nil
	}
	result, err := current.NewResultFromResult(cached)
	if err != nil {
		return nil
	}
	return result
}

// masquerade names the rules of ipMasq: ptp and bridge read the address that
// they are for in the namespace (containernetworking/plugins v1.9.1).
func (c *Chain) masquerade(result *current.Result) string {
	for _, p := range c.list.Plugins {
		var conf struct {
			IPMasq bool `json:"ipMasq"`
		}
		if json.Unmarshal(p.Bytes, &conf) != nil || !conf.IPMasq {
			continue
		}
		var addrs []string
		for _, ip := range result.IPs {
			addrs = append(addrs, ip.Address.IP.String())
		}
		return fmt.Sprintf("the masquerade rules of plugin %s for %s (they name container %s)",
			p.Network.Type, strings.Join(addrs, ", "), c.attachment.ContainerID)
	}
	return ""
}

// hostInterfaces names the pod's interfaces on the node that are still there.
// They go when the sandbox ends; one that stays has a sandbox that did not.
func hostInterfaces(result *current.Result) []string {
	node, err := netstate.OpenNode()
	if err != nil {
		return nil
	}
	defer node.Close()
	var left []string
	for _, iface := range result.Interfaces {
		if iface.Sandbox != "" {
			continue
		}
		link, err := node.Link(iface.Name)
		if err == nil && link.Kind == "veth" && strings.EqualFold(link.MAC.String(), iface.Mac) {
			left = append(left, "interface "+iface.Name+", whose peer is in a namespace that still lives")
		}
	}
	return left
}
