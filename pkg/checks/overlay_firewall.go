// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/firewall"
	"github.com/cni-guard/cni-guard/pkg/guard"
)

// overlayFirewall names the rule of this node that drops what a tunnel to other nodes
// needs. It makes sound claims only: where the rules do not decide alone it says so, and
// tunnelPeers asks the network itself.
type overlayFirewall struct{}

func (overlayFirewall) declare() guard.Declaration {
	return guard.Declaration{Name: "overlay-firewall"}
}

func (overlayFirewall) check() *Check {
	return &Check{
		ID:        "CG501",
		Summary:   "A rule of this node's own packet filter drops traffic of the pod network between nodes, either the tunnel's outer packets or forwarded packets of pods, so that pods on two nodes cannot reach each other.",
		Detection: "The rules of nf_tables and of iptables-legacy, as the kernel has them, are followed for each packet that a tunnel with pod routes needs: its outer packets in INPUT and OUTPUT (the UDP port of the device, of WireGuard those of both ends, of flannel's backend udp 8285; IP protocol 4, 41 or 47), and new TCP connections of pods in FORWARD, both directions, and between pods of this node where br_netfilter passes those to FORWARD. An accept ends one base chain only: firewalld's rules, with a later priority, still see what iptables has accepted. It is a finding if a rule or a policy drops the packet whatever the rules before it do. Where the result depends on a set, a mark, a limit or an unknown expression, nothing is reported. Healthy: a policy DROP with rules that accept the packets, as Docker, ufw and firewalld have them beside flannel or Calico.",
		Remedy:    "Allow the packets on every node, in the configuration of the node's firewall, so that they still pass after its next reload. docs/firewall.md has the commands for firewalld, ufw, Docker, iptables and nft.",
		When:      guard.Node,
		Default:   guard.Warn,
		Probe:     probeOverlayFirewall,
	}
}

func probeOverlayFirewall(ctx context.Context, t *Target) ([]guard.Finding, error) {
	packets, doubts, err := overlayPackets(t)
	if err != nil {
		return nil, err
	}
	if len(packets) == 0 && len(doubts) > 0 {
		return nil, guard.Skip(doubts[0])
	}
	if len(packets) == 0 {
		return nil, guard.Skip("no tunnel leads to pods of other nodes")
	}
	rules, err := t.rules()
	if err != nil {
		return nil, err
	}
	var findings []guard.Finding
	doubt := strings.Join(doubts, "; ")
	for _, p := range packets {
		if err := ctx.Err(); err != nil {
			return findings, fmt.Errorf("judge the rules: %w", err)
		}
		finding, reason := p.judge(rules)
		doubt = cmp.Or(doubt, reason)
		if finding != nil && !slices.ContainsFunc(findings, func(f guard.Finding) bool { return f.Problem == finding.Problem && f.Object == finding.Object }) {
			findings = append(findings, *finding)
		}
	}
	if len(findings) == 0 && doubt != "" {
		return nil, guard.Skip("the rules alone do not decide about the packets of the tunnels, as " + doubt + "; tunnel-peers asks the other nodes")
	}
	return limitFindings(findings), nil
}

// judge returns a finding for a packet that is dropped, or why nothing can be said.
func (p overlayPacket) judge(rules *firewall.Rules) (*guard.Finding, string) {
	v := rules.Judge(p.Packet)
	switch {
	case v.Result == firewall.Dropped:
		return p.finding(rules, v), ""
	case v.Result == firewall.CannotTell && !p.tracked:
		return nil, v.Reason
	case v.Result == firewall.Accepted:
		return nil, ""
	}
	// Both directions of the outer packets are one connection: the first packet of a node
	// may be dropped although the answers to it are not.
	first := p.Packet
	first.States = []firewall.State{firewall.New}
	if now := rules.Judge(first); now.Result == firewall.Dropped {
		answers := p.Packet
		answers.States = []firewall.State{firewall.Established}
		if rules.Judge(answers).Result == firewall.Accepted {
			f := p.finding(rules, now)
			f.Problem = strings.Replace(f.Problem, "are ", "are, until this node has sent some to that node, ", 1)
			f.Impact = "the first packets between pods of two nodes are lost until both have sent some, and again after each pause"
			return f, ""
		}
	}
	return nil, v.Reason
}

func (p overlayPacket) finding(rules *firewall.Rules, v firewall.Verdict) *guard.Finding {
	verb := "dropped"
	if v.Rule.Rejects {
		verb = "rejected"
	}
	return &guard.Finding{
		Object:   "node/" + p.device,
		Problem:  fmt.Sprintf("cannot carry packets of pods: %s are %s by %s", p.what, verb, ruleName(v.Rule)),
		Remedy:   ruleRemedy(v.Rule),
		Evidence: v.Rule.String(),
		Impact:   p.impact,
		Command:  p.command(rules, v),
	}
}

// ruleName says what drops, and whose it is.
func ruleName(r *firewall.Rule) string {
	what := fmt.Sprintf("rule %d", r.Number)
	if r.Number == 0 {
		what = "the policy"
	}
	name := fmt.Sprintf("%s of chain %s (table %s %s of %s)", what, r.Chain, r.Family, r.Table, r.Backend)
	switch {
	case r.Owner != "":
		name += ", which " + r.Owner + " sets"
	case r.Beside:
		name += ", which is left over: iptables-nft has rules as well"
	}
	return name
}

// ruleRemedy says where the owner of a rule keeps what it sets.
func ruleRemedy(r *firewall.Rule) string {
	switch {
	case r.Owner == "firewalld":
		return "Allow the packets in firewalld, with --permanent, and reload it; see docs/firewall.md."
	case r.Owner == "ufw":
		return "Allow the packets in ufw (ufw allow, ufw route allow; in /etc/ufw/before.rules for an IP protocol that ufw has no name for); see docs/firewall.md."
	case r.Owner == "Docker":
		return "Docker sets this policy when it enables forwarding. Allow the packets in the chain DOCKER-USER, which Docker leaves alone, or set \"ip-forward-no-drop\": true in /etc/docker/daemon.json; see docs/firewall.md."
	case r.Beside:
		return "Find out who still uses iptables-legacy (iptables-legacy-save shows the rules), and remove them if that is gone; see docs/firewall.md."
	}
	return "Allow the packets before this rule, where the node keeps its rules, so that the change is still there after the next reload; see docs/firewall.md."
}
