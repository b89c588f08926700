// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"fmt"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// doubtRemedy is for what nobody can tell.
const doubtRemedy = "Check whether these nodes are up; if so, see docs/tunnels.md, and run guardctl tunnels --probe on them as well."

// mostFindings bounds how many peers of the same trouble are listed: a thousand
// findings are one that nobody reads.
const mostFindings = 10

// peerFinding is one of a peer, named by its node where that is known.
func peerFinding(p tunnel.Peer, problem string, minor bool) *guard.Finding {
	problem = "to " + nameOf(p) + ": it " + problem
	return &guard.Finding{Object: "node/" + p.Device, Problem: problem, Remedy: remedyOf(p), Minor: minor}
}

func nameOf(p tunnel.Peer) string {
	if p.Outer.IsValid() {
		return fmt.Sprintf("%s (%s, pinged at %s)", p.Outer, p.Block, p.Probed)
	}
	return fmt.Sprintf("%s (pinged at %s)", p.Block, p.Probed)
}

// doubt is a clause about a peer.
func doubt(p tunnel.Peer, why string) string { return p.Device + " to " + nameOf(p) + " " + why }

// said quotes who said that a peer is unreachable.
func said(a tunnel.Answer) string {
	why := "is unreachable"
	if a.Why != "" {
		why += " (" + a.Why + ")"
	}
	if a.By.IsValid() {
		return why + ", says " + a.By.String()
	}
	return why + ", says this node"
}

func theTunnelsWork(n int) string {
	if n == 1 {
		return "1 tunnel works"
	}
	return fmt.Sprintf("%d tunnels work", n)
}

// listed joins the first few.
func listed(doubts []string) string {
	const few = 3
	if len(doubts) <= few {
		return strings.Join(doubts, "; ")
	}
	return fmt.Sprintf("%s; and %d more", strings.Join(doubts[:few], "; "), len(doubts)-few)
}

// fewOf lists the first few findings and counts the others.
func fewOf(findings []guard.Finding) []guard.Finding {
	if len(findings) <= mostFindings {
		return findings
	}
	rest := findings[mostFindings]
	rest.Object = "node"
	rest.Problem = fmt.Sprintf("has the like of it with %d more peers; guardctl tunnels --probe lists them", len(findings)-mostFindings)
	return append(findings[:mostFindings:mostFindings], rest)
}

func downFindings(down []tunnel.Down) []guard.Finding {
	var findings []guard.Finding
	for _, d := range down {
		remedy := fmt.Sprintf("Bring it up with: ip link set %s up. Then restart the network's daemon on this node, which puts back the routes that the kernel dropped, and find out what took it down (a network manager, or a script that cleans up).", d.Device)
		findings = append(findings, guard.Finding{Object: "node/" + d.Device, Problem: "is down, and " + d.Needed, Remedy: remedy})
	}
	return findings
}

func duplicateFindings(duplicates []tunnel.Duplicate) []guard.Finding {
	const remedy = "Let the network give one of them another: two nodes with one tunnel address or block take each other's packets. With Calico compare the annotations projectcalico.org/IPv4IPIPTunnelAddr and IPv4VXLANTunnelAddr of the nodes and run calicoctl ipam check; with flannel delete /run/flannel/subnet.env on a node that was cloned, and restart it."
	var findings []guard.Finding
	for _, d := range duplicates {
		problem := fmt.Sprintf("has %s twice: %s", d.What, strings.Join(d.Who, " and "))
		findings = append(findings, guard.Finding{Object: "node/" + d.Device, Problem: problem, Remedy: remedy})
	}
	return fewOf(findings)
}
