// SPDX-License-Identifier: Apache-2.0

package doctor

// docker is the rules that Docker 26 makes, which has set FORWARD to DROP.
const docker = `ip netns exec near iptables-restore <<'EOF'
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
:DOCKER-ISOLATION-STAGE-2 - [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-ISOLATION-STAGE-1
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A FORWARD -i docker0 -o docker0 -j ACCEPT
-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
-A DOCKER-ISOLATION-STAGE-1 -j RETURN
-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
-A DOCKER-ISOLATION-STAGE-2 -j RETURN
-A DOCKER-USER -j RETURN
COMMIT
EOF
`

// firewalld is the rules of firewalld's zone public, less what decides about other packets.
const firewalld = `ip netns exec near nft -f - <<'EOF'
table inet firewalld {
	chain filter_IN_public {
		icmp type echo-request accept
		tcp dport 22 accept
		reject with icmpx admin-prohibited
	}
	chain filter_INPUT {
		type filter hook input priority 10; policy accept;
		ct state established,related accept
		ct status dnat accept
		iifname "lo" accept
		ct state invalid drop
		jump filter_IN_public
		reject with icmpx admin-prohibited
	}
	chain filter_FORWARD {
		type filter hook forward priority 10; policy accept;
		ct state established,related accept
		ct status dnat accept
		reject with icmpx admin-prohibited
	}
}
EOF
`

// ufw is the rules of ufw 0.36 that is enabled and has one port open, less its logging.
const ufw = `ip netns exec near iptables-restore <<'EOF'
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:ufw-before-input - [0:0]
:ufw-before-forward - [0:0]
:ufw-not-local - [0:0]
:ufw-user-input - [0:0]
-A INPUT -j ufw-before-input
-A FORWARD -j ufw-before-forward
-A ufw-before-input -i lo -j ACCEPT
-A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A ufw-before-input -m conntrack --ctstate INVALID -j DROP
-A ufw-before-input -p icmp -m icmp --icmp-type 8 -j ACCEPT
-A ufw-before-input -j ufw-not-local
-A ufw-not-local -m addrtype --dst-type LOCAL -j RETURN
-A ufw-not-local -j DROP
-A ufw-before-input -j ufw-user-input
-A ufw-user-input -p tcp -m tcp --dport 22 -j ACCEPT
-A ufw-before-forward -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A ufw-before-forward -p icmp -m icmp --icmp-type 8 -j ACCEPT
COMMIT
EOF
`

// firewallFailures are the rules that people meet. The healthy twin of each has a policy, a
// zone or a table as well, with rules that accept pods: TestHealthyNodes.
func firewallFailures() []Failure {
	return []Failure{
		{
			Name: "Docker sets FORWARD to DROP", From: "kops#3958", Break: docker, Before: true,
			Check: "overlay-firewall", Says: "which Docker sets", By: "`iptables -S FORWARD`: a policy, as on healthy nodes; `tcpdump -i flannel.1`: no requests of pods",
		},
		{
			Name: "firewalld's zone rejects the tunnel and pods", From: "flannel#2055", Break: firewalld,
			Check: "tunnel-peers", Says: "which firewalld sets", By: "`iptables -S`: nothing; `tcpdump -i eth0 icmp`: admin prohibited",
		},
		{
			Name: "ufw denies incoming", From: "k3s#1280", Break: ufw,
			Check: "tunnel-peers", Says: "which ufw sets", By: "`tcpdump -i eth0`: VXLAN arrives; `tcpdump -i flannel.1`: nothing",
		},
		{
			Name: "an image rejects what it does not know", From: "k3s#977, Oracle", Break: "ip netns exec near iptables -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT; ip netns exec near iptables -A INPUT -p icmp -j ACCEPT; ip netns exec near iptables -A INPUT -j REJECT --reject-with icmp-host-prohibited",
			Check: "tunnel-peers", Says: "rule 3 of chain INPUT", By: "`ping`: no route to host",
		},
		{
			Name: "a table of iptables-legacy is left over", From: "kubernetes#71305",
			Break: "ip netns exec near iptables -A FORWARD -s 10.244.0.0/16 -j ACCEPT; ip netns exec near iptables -A FORWARD -d 10.244.0.0/16 -j ACCEPT; ip netns exec near iptables-legacy -P FORWARD DROP",
			Check: "overlay-firewall", Says: "which is left over", By: "`iptables -S`, `nft list ruleset`: rules that accept",
		},
	}
}
