// SPDX-License-Identifier: Apache-2.0

package doctor

// pod starts a pod on near, as the plugin bridge does, and has the guard record it.
const pod = `
ip netns add pod
ip -n near link add veth1 address 02:00:00:00:02:01 type veth peer name eth0 netns pod
ip -n near link set veth1 master cni0 up
ip -n pod link set lo up
ip -n pod link set eth0 address 0a:58:0a:f4:00:05 mtu 1450 up
ip -n pod address add 10.244.0.5/24 dev eth0
ip -n pod route add default via 10.244.0.1
ip netns exec near sh -euc '
	mkdir -p "$ROOT/run/netns"
	mount --rbind /run/netns "$ROOT/run/netns"
	mount -t proc proc "$ROOT/proc"
	export CNI_COMMAND=ADD CNI_CONTAINERID=c0ffee CNI_NETNS=/run/netns/pod CNI_IFNAME=eth0 CNI_PATH=/opt/cni/bin
	exec chroot "$ROOT" /opt/cni/bin/cni-guard' >/dev/null <<'EOF'
{"cniVersion": "1.0.0", "name": "pods", "type": "cni-guard", "prevResult": {"cniVersion": "1.0.0",
	"interfaces": [{"name": "cni0", "mac": "0a:58:0a:f4:00:01"}, {"name": "veth1", "mac": "02:00:00:00:02:01"}, {"name": "eth0", "mac": "0a:58:0a:f4:00:05", "sandbox": "/run/netns/pod"}],
	"ips": [{"address": "10.244.0.5/24", "gateway": "10.244.0.1", "interface": 2}]}}
EOF
`

// services are the chains by which kube-proxy's rules are known.
const services = "ip netns exec near iptables -t nat -N KUBE-SERVICES\n"

// podFailures are those of a node with a pod on it.
func podFailures() []Failure {
	return []Failure{
		{
			Name: "forwarding is off", From: "seed 001", Make: pod, Before: true, Break: "echo 0 | ip netns exec near tee /proc/sys/net/ipv4/ip_forward >/dev/null",
			Check: "ip-forwarding", Says: "ip_forward", By: "`tcpdump -i cni0`: requests of pods; on flannel.1 nothing",
		},
		{
			Name: "the tunnel does not forward", From: "systemd#468", Make: pod, Before: true, Break: "echo 0 | ip netns exec near tee /proc/sys/net/ipv4/conf/flannel.1/forwarding >/dev/null",
			Check: "ip-forwarding", Says: "flannel.1", By: "`sysctl net.ipv4.ip_forward`: 1; `tcpdump -i flannel.1`: answers arrive, but not at the pods",
		},
		{
			Name: "bridge-netfilter is off", From: "kops#5393", Make: pod + services, Before: true, Break: "echo 0 | ip netns exec near tee /proc/sys/net/bridge/bridge-nf-call-iptables >/dev/null",
			Check: "bridge-netfilter", Says: "cni0", By: "A Service is answered by pods of other nodes, but not by those of this node",
		},
		{
			Name: "br_netfilter, and FORWARD drops what stays on the bridge", From: "weave#2758, k8s#39823", Make: pod + services, Before: true,
			Break: "ip netns exec near iptables -A FORWARD -i flannel.1 -j ACCEPT; ip netns exec near iptables -A FORWARD -o flannel.1 -j ACCEPT; ip netns exec near iptables -P FORWARD DROP",
			Check: "overlay-firewall", Says: "which br_netfilter brings to FORWARD", By: "`tcpdump -i veth1`: requests leave the pod and reach no other pod on the bridge; `bridge link`: all forwarding",
		},
		{
			Name: "a pod's host veth lost its bridge", From: "seed 000", Make: pod, Before: true, Break: "ip -n near link set veth1 nomaster",
			Check: "bridge-port", Says: "veth1", By: "`ip link`: veth1 is up; `bridge link`: no veth1",
		},
		{
			Name: "flanneld ended (backend udp)", From: "flannel, backend udp",
			Make:  "ip -n near route delete 10.244.1.0/24; ip -n near link delete flannel.1; ip -n far link delete flannel.1\n",
			Break: "ip -n near tuntap add dev flannel0 mode tun; ip -n near link set flannel0 mtu 1472 up; ip -n near address add 10.244.0.0/32 dev flannel0; ip -n near route add 10.244.0.0/16 dev flannel0",
			Check: "tunnel-peers", Says: "no process holds it", By: "`ip link`: NO-CARRIER, which is easy to overlook",
		},
	}
}
