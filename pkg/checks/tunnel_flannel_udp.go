// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// flannelUDPPort is the port of flannel's backend udp unless its net-conf.json, which a
// node does not have, says another one.
const flannelUDPPort = 8285

// flannelUDPFindings returns the findings about flannel0, whose packets flanneld itself
// carries. The device goes with the process, unless it was made persistent.
func flannelUDPFindings(d netstate.TunnelDump, memory peerMemory) []guard.Finding {
	const impact = "pods of this node and those of other nodes do not reach each other"
	var findings []guard.Finding
	for _, l := range d.Links {
		if tunnel.IsFlannelUDP(l) && l.Unopened {
			findings = append(findings, guard.Finding{
				Object:   "node/" + l.Name,
				Problem:  "is up, and no process holds it: flanneld, which carries its packets (backend udp), does not run",
				Evidence: fmt.Sprintf("ip link show %s: NO-CARRIER", l.Name),
				Impact:   impact,
				Remedy:   "Start flannel on this node, and find in its log why it stopped.",
			})
		}
	}
	for name, at := range memory.flannelUDP {
		findings = append(findings, guard.Finding{
			Object:   "node/" + name,
			Problem:  "is gone, and no other route leads to the pod network: flanneld, whose device it is (backend udp), does not run",
			Evidence: "the device was there at " + at.Format(time.DateTime+" MST"),
			Impact:   impact,
			Remedy:   "Start flannel on this node, and find in its log why it stopped.",
		})
	}
	return findings
}

// goneFlannelUDP returns the devices of flannel's backend udp that the last run saw and
// that are gone, with the time at which they were seen first; none if something else leads
// to the pod network now.
func (t *Target) goneFlannelUDP(d netstate.TunnelDump, last, now seenPaths) map[string]time.Time {
	gone := map[string]time.Time{}
	replaced := len(now.Blocks) > 0 || slices.ContainsFunc(d.Links, func(l netstate.TunnelLink) bool { return strings.HasPrefix(l.Name, "flannel") })
	if replaced || len(t.networkPlugins()) == 0 {
		return gone
	}
	for name, device := range last.Devices {
		if tunnel.IsFlannelUDP(netstate.TunnelLink{Name: name, Kind: "tun"}) && t.now().Sub(device.At) < seenFor {
			gone[name] = device.At
		}
	}
	return gone
}

// noPeers says why no peer can be asked though there are other nodes; "" if nothing shows
// any.
func noPeers(table tunnel.Table, memory peerMemory) string {
	var reasons []string
	for _, u := range table.NotEnumerable {
		reasons = append(reasons, u.Device+": "+u.Reason)
	}
	if n := len(memory.direct); n > 0 {
		nodes := make([]string, 0, n)
		for node := range memory.direct {
			nodes = append(nodes, node.String())
		}
		slices.Sort(nodes)
		reasons = append(reasons, fmt.Sprintf("pods of other nodes are reached without a tunnel, by routes over %s", named(nodes)))
	}
	if len(reasons) == 0 {
		return ""
	}
	return "the kernel's tables show no peer of a tunnel: " + strings.Join(reasons, "; ")
}

// flannelNetworks returns the pod network that flannel0 leads to: its routes.
func (n overlayNode) flannelNetworks(d netstate.TunnelLink) []netip.Prefix {
	var all []netip.Prefix
	for _, r := range n.dump.Routes {
		if r.Link == d.Index && r.Dst.Bits() > 0 && !r.Dst.IsSingleIP() && !r.Dst.Addr().IsLinkLocalUnicast() {
			all = append(all, r.Dst.Masked())
		}
	}
	return all
}
