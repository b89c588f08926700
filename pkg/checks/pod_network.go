// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// A nodeNetwork is the node's namespace as the checks of the node read it: once in a run,
// with dumps. No check of the pod path may read it. It is not changed.
type nodeNetwork struct {
	links  map[string]netstate.Link
	addrs  []netstate.LinkAddr
	routes []netstate.Route // of the table main

	uplinks map[string]bool // links with a default route
	bridges map[string]bool // bridges that the file with the guard names
}

func readNodeNetwork(t *Target) (*nodeNetwork, error) {
	if n := t.network.Load(); n != nil {
		return n, nil
	}
	links, err := t.Node.Links()
	if err != nil {
		return nil, err
	}
	n := &nodeNetwork{links: make(map[string]netstate.Link, len(links)), uplinks: map[string]bool{}, bridges: map[string]bool{}}
	for _, l := range links {
		n.links[l.Name] = l
	}
	if n.addrs, err = t.Node.AllAddrs(); err != nil {
		return nil, err
	}
	if n.routes, err = t.mainRoutes(); err != nil {
		return nil, err
	}
	for _, r := range n.routes {
		if isDefault(r.Dst) && r.Link != "" {
			n.uplinks[r.Link] = true
		}
	}
	for _, p := range t.networkPlugins() {
		if name := bridgeOf(p); name != "" {
			n.bridges[name] = true
		}
	}
	t.network.Store(n)
	return n, nil
}

// mainRoutes returns the routes of the table main. A node has thousands, and five checks read
// them.
func (t *Target) mainRoutes() ([]netstate.Route, error) {
	if known := t.tableMain.Load(); known != nil {
		return *known, nil
	}
	routes, err := t.Node.Routes()
	if err != nil {
		return nil, err
	}
	t.tableMain.Store(&routes)
	return routes, nil
}

// A nodeTunnels is the tunnels of the node, and the peers that follow from them. It is not
// changed.
type nodeTunnels struct {
	netstate.TunnelDump
	tunnel.Table
}

// tunnels reads the tunnels of the node, once in a run: a node has thousands of peers.
func (t *Target) tunnels() (*nodeTunnels, error) {
	if known := t.overlay.Load(); known != nil {
		return known, nil
	}
	dump, err := t.Node.TunnelDump()
	if err != nil {
		return nil, err
	}
	n := &nodeTunnels{dump, tunnel.Enumerate(dump)}
	t.overlay.Store(n)
	return n, nil
}

func isDefault(dst netip.Prefix) bool { return !dst.IsValid() || dst.Bits() == 0 }

// podLinkNames are the beginnings of the names that networks give to their own links,
// by the network. No other program's links begin like these, except for "eni" and "tun-", which
// count only for the kinds that AWS VPC CNI and kube-router make.
func podLinkNames() []string {
	return []string{
		"cali", "vxlan.calico", "vxlan-v6.calico", "wireguard.cali", "wg-v6.cali", "bpfin.cali", "bpfout.cali", "egress.calico", "tunl", // Calico
		"flannel", "cni0", "cbr0", // flannel, kubenet
		"cilium", "lxc", // Cilium
		"kube-bridge", "kube-ipvs", "kube-dummy", "nodelocaldns", "dummy", // kube-router, kube-proxy, node-local DNS
		"antrea-", "ovn-k8s-", "ovn0", "genev_sys", "vxlan_sys", // Antrea, OVN-Kubernetes, kube-ovn
		"weave", "vethwe", "datapath", // Weave
		"gke", "azv", // GKE, Azure
	}
}

// isPodLink reports whether a link belongs to the pod network: pods' own ends, bridges
// and tunnels. A link with a default route is the node's, as eth0 of a node of kind is,
// which is a veth, and a bridge over the uplink.
func (n *nodeNetwork) isPodLink(name string) bool {
	if n.uplinks[name] {
		return false
	}
	if n.bridges[name] || slices.ContainsFunc(podLinkNames(), func(p string) bool { return strings.HasPrefix(name, p) }) {
		return true
	}
	switch n.links[name].Kind {
	case "veth":
		return !n.hasNetwork(name)
	case "netkit", "ipip", "sit", "ip6tnl", "vxlan", "geneve", "openvswitch", "dummy", "ifb":
		return true
	}
	return false
}

// hasNetwork reports whether a link connects the node to a network: the ends of pods have
// no address, or, with the plugin ptp, the gateway's alone.
func (n *nodeNetwork) hasNetwork(name string) bool {
	return slices.ContainsFunc(n.addrs, func(a netstate.LinkAddr) bool {
		return a.Link == name && !a.Addr.IsSingleIP() && !a.Addr.Addr().IsLinkLocalUnicast()
	})
}

// isPodTunnel reports whether a link carries pods to other nodes, judged by the name
// that a network uses for it: a tunnel of a VPN may have any other.
func (n *nodeNetwork) isPodTunnel(name string) bool {
	is := func(p string) bool { return strings.HasPrefix(name, p) }
	return slices.ContainsFunc([]string{
		"flannel", "vxlan.calico", "vxlan-v6.calico", "wireguard.cali", "wg-v6.cali", "cilium_", "antrea-gw", "ovn-k8s-", "weave",
	}, is) || n.links[name].Kind == "ipip" && (is("tunl") || is("tun-"))
}

// A podBlock is a prefix that a route of the node leads to pods.
type podBlock struct {
	netip.Prefix
	gateway netip.Addr // the zero Addr for a block of this node, or one behind a link
	link    string     // "" for a block that this node holds without a link (blackhole)
}

// String returns the block with its route: "10.244.2.0/24 via 192.168.7.3 dev eth0".
func (b podBlock) String() string {
	text := b.Prefix.String()
	if b.gateway.IsValid() {
		text += " via " + b.gateway.String()
	}
	if b.link != "" {
		text += " dev " + b.link
	}
	return text
}

// Protocols of routes that networks make themselves (rtnetlink(7) rtm_protocol).
const (
	protoBird       = 12 // BIRD, which may be Calico's or the operator's
	protoKubeRouter = 17
	protoCalico     = 80
)

// podBlocks returns the blocks that the routes of the table main prove to be pods':
// those over the pod network's own links, those that Calico and kube-router made, and
// those with a next hop within the ranges. A host route is no block: Calico borrows
// single addresses of other nodes' blocks.
func (n *nodeNetwork) podBlocks(ranges []netip.Prefix) []podBlock {
	var blocks []podBlock
	for _, r := range n.routes {
		if isDefault(r.Dst) || r.Dst.IsSingleIP() || r.Dst.Addr().IsLinkLocalUnicast() || r.Dst.Addr().IsMulticast() {
			continue
		}
		b := podBlock{r.Dst.Masked(), r.Gateway, r.Link}
		if n.isPodRoute(r) || r.Gateway.IsValid() && anyStrictlyContains(ranges, b.Prefix) {
			blocks = append(blocks, b)
		}
	}
	return blocks
}

func (n *nodeNetwork) isPodRoute(r netstate.Route) bool {
	// The default of Calico is /26 and /122, and the operator's own BIRD may hold the
	// private ranges as blackholes.
	small := r.Dst.Bits() >= 20 && r.Dst.Addr().Is4() || r.Dst.Bits() >= 112
	switch {
	case r.Link == "":
		return small && (r.Protocol == protoCalico || r.Protocol == protoBird)
	case n.isPodTunnel(r.Link):
		return true
	case r.Gateway.IsValid():
		return r.Protocol == protoCalico || r.Protocol == protoKubeRouter
	}
	return n.isPodBridge(r.Link)
}

// isPodBridge reports whether a link is the bridge that pods are on.
func (n *nodeNetwork) isPodBridge(name string) bool {
	return n.links[name].Kind == "bridge" && n.isPodLink(name)
}

// anyStrictlyContains reports whether one of the ranges contains a prefix and is larger.
func anyStrictlyContains(ranges []netip.Prefix, p netip.Prefix) bool {
	return slices.ContainsFunc(ranges, func(r netip.Prefix) bool { return covers(r, p) && r != p })
}

// covers reports whether all of b lies in a.
func covers(a, b netip.Prefix) bool { return a.Bits() <= b.Bits() && a.Contains(b.Addr()) }

// named joins the first few names of many.
func named(names []string) string {
	const few = 5
	if len(names) <= few {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
}
