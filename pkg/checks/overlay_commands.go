// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"fmt"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/firewall"
)

// command returns the one command after which the packet passes; "" if it is not proved
// that there is one: another rule may drop the packet as well, or its owner has no word
// for it.
func (p overlayPacket) command(rules *firewall.Rules, v firewall.Verdict) string {
	after := rules.JudgeAccepting(p.Packet, v.Rule)
	if !v.Alone || after.Result != firewall.Accepted {
		return ""
	}
	switch v.Rule.Owner {
	case "firewalld":
		return p.firewalldCommand(v.Rule)
	case "ufw":
		return p.ufwCommand()
	}
	return p.insertCommand(v.Rule)
}

// insertCommand accepts the packet as the first thing of the base chain.
func (p overlayPacket) insertCommand(r *firewall.Rule) string {
	match := p.match(r.Backend == "nf_tables")
	if r.Backend == "nf_tables" {
		return fmt.Sprintf("nft insert rule %s %s %s %s accept", r.Family, r.Table, r.Base, match)
	}
	program := r.Backend
	if r.Family == "ip6" {
		program = strings.Replace(program, "ip", "ip6", 1)
	}
	table := ""
	if r.Table != "filter" {
		table = " -t " + r.Table
	}
	chain := r.Base
	if r.Owner == "Docker" && r.Base == "FORWARD" {
		chain = "DOCKER-USER" // which Docker keeps the first of FORWARD, and leaves alone
	}
	return fmt.Sprintf("%s%s -I %s %s -j ACCEPT", program, table, chain, match)
}

// match returns the condition for the packet.
func (p overlayPacket) match(nft bool) string {
	var words []string
	say := func(nftFormat, iptablesFormat string, value any) {
		if nft {
			words = append(words, fmt.Sprintf(nftFormat, value))
		} else {
			words = append(words, fmt.Sprintf(iptablesFormat, value))
		}
	}
	if p.Hook == firewall.Forward {
		if p.In.Name != "" {
			say("iifname %q", "-i %s", p.In.Name)
		}
		if p.Out.Name != "" {
			say("oifname %q", "-o %s", p.Out.Name)
		}
		return strings.Join(words, " ")
	}
	if p.DstPort != 0 {
		say("udp dport %d", "-p udp --dport %d", p.DstPort)
	} else {
		say("meta l4proto %d", "-p %d", p.Protocol)
	}
	return strings.Join(words, " ")
}

// ufwCommand returns the words of ufw. It knows tcp, udp, ipv6, esp, ah, igmp and gre.
func (p overlayPacket) ufwCommand() string {
	direction := ""
	if p.Hook == firewall.Output {
		direction = "out "
	}
	switch {
	case p.Hook == firewall.Forward && p.In.Name != "" && p.Out.Name != "":
		return fmt.Sprintf("ufw route allow in on %s out on %s", p.In.Name, p.Out.Name)
	case p.Hook == firewall.Forward:
		return ""
	case p.DstPort != 0:
		return fmt.Sprintf("ufw allow %s%d/udp", direction, p.DstPort)
	}
	return ""
}

// firewalldCommand opens the zone whose chain rejects. Packets of pods are accepted by
// their source, as the zone trusted accepts all.
func (p overlayPacket) firewalldCommand(r *firewall.Rule) string {
	const reload = " && firewall-cmd --reload"
	zone := firewalldZone(r.Chain)
	switch {
	case p.Hook == firewall.Forward && len(p.pods) == 1:
		return fmt.Sprintf("firewall-cmd --permanent --zone=trusted --add-source=%s%s", p.pods[0], reload)
	case p.Hook != firewall.Input || zone == "":
		return ""
	case p.DstPort != 0:
		return fmt.Sprintf("firewall-cmd --permanent --zone=%s --add-port=%d/udp%s", zone, p.DstPort, reload)
	}
	return fmt.Sprintf("firewall-cmd --permanent --zone=%s --add-rich-rule='rule protocol value=\"%d\" accept'%s", zone, p.Protocol, reload)
}

// firewalldZone returns the zone of a chain such as filter_IN_public; "" if it is of none.
func firewalldZone(chain string) string {
	for _, prefix := range []string{"filter_IN_", "IN_"} {
		if zone, is := strings.CutPrefix(chain, prefix); is && !strings.HasPrefix(zone, "policy_") && !strings.Contains(zone, "_") {
			return zone
		}
	}
	return ""
}
