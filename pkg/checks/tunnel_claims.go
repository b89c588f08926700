// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

const (
	duplicateRemedy = "Let the network assign a new one: two nodes with the same tunnel address or block receive each other's packets. With Calico compare the annotations projectcalico.org/IPv4IPIPTunnelAddr and IPv4VXLANTunnelAddr of the nodes and run calicoctl ipam check; with flannel delete /run/flannel/subnet.env on the node that was cloned, and restart flannel there."
	cloneRemedy     = "Give one of the two nodes another MAC. With flannel on the node that was cloned: stop flannel, ip link del %s, remove the annotation flannel.alpha.coreos.com/backend-data of its Node object, start flannel. If systemd derives the MAC (MACAddressPolicy=persistent), give the clone its own /etc/machine-id first."
	leaseRemedy     = "Compare the podCIDR of all nodes: kubectl get nodes -o custom-columns=NAME:.metadata.name,PODCIDRS:.spec.podCIDRs. If %s has one of the two only, the other is left behind: restart the network's daemon on this node, and remove the route if it stays. If two nodes have them, they are clones: on one of them stop flannel, ip link del %s, remove the annotation flannel.alpha.coreos.com/backend-data of its Node object, start flannel."
)

// duplicateFindings returns the findings about what two ends claim.
func (e *tunnelEvidence) duplicateFindings(duplicates []tunnel.Duplicate) []guard.Finding {
	var findings []guard.Finding
	for _, d := range duplicates {
		f := guard.Finding{Object: "node/" + d.Device, Problem: fmt.Sprintf("has %s twice: %s", d.What, strings.Join(d.Who, " and ")), Remedy: duplicateRemedy}
		switch {
		case d.MAC && d.Own():
			f.Problem += ": a node drops what comes with its own MAC, so that nothing arrives in either direction"
			f.Evidence = fmt.Sprintf("ip link show %s and ip neigh show dev %s both have %s", d.Device, d.Device, strings.TrimPrefix(d.What, "MAC "))
			f.Impact, f.Remedy = cutOffImpact, fmt.Sprintf(cloneRemedy, d.Device)
		case d.MAC:
			outer := "it"
			if d.Outer.IsValid() {
				outer = d.Outer.String()
				f.Problem += ", with one outer address, " + outer
			}
			f.Problem += ": one node whose old lease was left behind, or two cloned nodes" + e.whoAnswers(d.Who)
			f.Impact, f.Remedy = "pods behind one of the two are not reached", fmt.Sprintf(leaseRemedy, outer, d.Device)
		}
		findings = append(findings, f)
	}
	return limitFindings(findings)
}

// whoAnswers returns which of some tunnel addresses answer, as a clause.
func (e *tunnelEvidence) whoAnswers(who []string) string {
	var answer []string
	for _, r := range e.inner {
		if r.State.Confirms() && slices.Contains(who, r.By.String()) {
			answer = append(answer, r.By.String())
		}
	}
	if len(answer) != 1 {
		return ""
	}
	return "; of these only " + answer[0] + " answers"
}

// lost returns the addresses of nodes to which no route leads though there was one, or
// though the FDB has them.
func (e *tunnelEvidence) lost() []netip.Addr {
	var nodes []netip.Addr
	for _, u := range e.unrouted {
		nodes = append(nodes, u.Outer)
	}
	for _, v := range e.memory.vanished {
		nodes = append(nodes, v.Node)
	}
	slices.SortFunc(nodes, netip.Addr.Compare)
	nodes = slices.Compact(nodes)
	return nodes[:min(len(nodes), maxPeerFindings)]
}

// lostFindings returns the findings about nodes to which no route leads.
func (e *tunnelEvidence) lostFindings(t *Target) []guard.Finding {
	if len(e.unrouted)+len(e.memory.vanished) == 0 {
		return nil
	}
	var findings []guard.Finding
	named := map[netip.Addr]bool{}
	for _, u := range e.unrouted {
		if !e.outer[u.Outer].State.Confirms() || e.memory.direct[u.Outer] || e.isRoutedOver(t, u) {
			continue
		}
		named[u.Outer] = true
		f := guard.Finding{
			Object:   "node/" + u.Device,
			Problem:  fmt.Sprintf("has %s as a node of the network, and no route leads to pods there", u.Outer),
			Evidence: fmt.Sprintf("bridge fdb show dev %s has dst %s; no route over %s leads there", u.Device, u.Outer, u.Device),
			Impact:   "pods of this node do not reach those of " + u.Outer.String() + "; no effect if that node has left the cluster",
			Remedy:   "Compare the podCIDR of all nodes: kubectl get nodes -o custom-columns=NAME:.metadata.name,PODCIDRS:.spec.podCIDRs. If two have the same, remove one of the nodes and let it join again; else restart the network's daemon on this node.",
			Minor:    true,
		}
		if mac := e.macs[peerEnd{u.Outer, u.Inner}]; mac != (netstate.MAC{}) { // its device is there, and is reached
			f.Minor = false
			f.Problem += fmt.Sprintf(", though its end of the tunnel answers (%s, MAC %s): two nodes have the same podCIDR, or the route was removed", u.Inner, mac)
		}
		findings = append(findings, f)
	}
	return append(limitFindings(findings), e.vanishedFindings(named)...)
}

// isRoutedOver reports whether the tunnel address of a node is reached over the tunnel, as
// those of Calico's nodes without a block are.
func (e *tunnelEvidence) isRoutedOver(t *Target, u tunnel.Unrouted) bool {
	if !u.Inner.IsValid() {
		return false
	}
	hop, err := t.Node.Lookup(u.Inner)
	return err != nil && !isNotExist(err) || err == nil && hop.Link == u.Link
}
