// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"fmt"

	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// carrier names what the outer packets of a tunnel are.
func carrier(p tunnel.Peer) string {
	if p.Port != 0 {
		return fmt.Sprintf("UDP port %d", p.Port)
	}
	if protocol := protocolOf(p); protocol != 0 {
		return fmt.Sprintf("IP protocol %d%s", protocol, alias(protocol))
	}
	switch p.Kind {
	case "gre", "gretap", "ip6gre", "ip6gretap":
		return "IP protocol 47 (gre)"
	case "openvswitch":
		return "what Open vSwitch sends (geneve is UDP port 6081)"
	}
	return "what " + p.Kind + " sends"
}

// alias tells a protocol from the one that it is taken for. /etc/protocols and
// iptables call 94 ipip, Neutron's API calls 4 so and then asks iptables
// (launchpad.net/bugs/2054324).
func alias(protocol uint8) string {
	if protocol == 4 {
		return " (ipencap; not 94, which OpenStack calls ipip)"
	}
	return " (ipv6)"
}

// remedyOf gives the rule that lets the outer packets in, for each cloud. NODES
// stands for the group, tag or range that all nodes are in.
func remedyOf(p tunnel.Peer) string {
	if p.Port != 0 {
		return portRemedy(p.Port)
	}
	if protocol := protocolOf(p); protocol != 0 {
		return protocolRemedy(protocol)
	}
	return "Allow " + carrier(p) + " inbound on all nodes, from all nodes (docs/tunnels.md)."
}

func protocolRemedy(protocol uint8) string {
	google := fmt.Sprint(protocol)
	if protocol == 4 {
		google = "ipip"
	}
	return fmt.Sprintf("Allow IP protocol %[1]d%[2]s inbound on all nodes, from all nodes. "+
		"AWS: aws ec2 authorize-security-group-ingress --group-id NODES --ip-permissions 'IpProtocol=%[1]d,UserIdGroupPairs=[{GroupId=NODES}]'. "+
		"OpenStack: openstack security group rule create --protocol %[1]d --remote-group NODES NODES. "+
		"Google: gcloud compute firewall-rules create allow-tunnels --allow=%[3]s --source-tags=NODES --target-tags=NODES. "+
		"On the node: iptables -I INPUT -p %[1]d -s NODES -j ACCEPT. "+
		"Until then keep the tunnels warm on all nodes: guardctl tunnels warm --loop (docs/tunnels.md).",
		protocol, alias(protocol), google)
}

func portRemedy(port uint16) string {
	return fmt.Sprintf("Allow UDP port %[1]d inbound on all nodes, from all nodes. "+
		"AWS: aws ec2 authorize-security-group-ingress --group-id NODES --ip-permissions 'IpProtocol=udp,FromPort=%[1]d,ToPort=%[1]d,UserIdGroupPairs=[{GroupId=NODES}]'. "+
		"OpenStack: openstack security group rule create --protocol udp --dst-port %[1]d --remote-group NODES NODES. "+
		"Google: gcloud compute firewall-rules create allow-tunnels --allow=udp:%[1]d --source-tags=NODES --target-tags=NODES. "+
		"On the node: iptables -I INPUT -p udp --dport %[1]d -s NODES -j ACCEPT (docs/tunnels.md).", port)
}
