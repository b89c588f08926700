// SPDX-License-Identifier: Apache-2.0

package netstate_test

import (
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// Two ends of WireGuard shake hands, and the dump of one has what wg shows of the other.
// There are more allowed addresses than one message of the kernel holds.
func TestWireGuard(t *testing.T) {
	if os.Getenv("CNI_GUARD_KERNEL") != "vm" {
		t.Skip("needs a kernel with WireGuard: make test-vm")
	}
	if _, err := exec.LookPath("wg"); err != nil {
		checktest.Lacking(t, "no wg; install wireguard-tools")
	}
	nearNode, far := sandbox(t, "near"), sandbox(t, "far")
	near := view(t, nearNode)
	checktest.Shell(t, `
cd "$(mktemp -d)"
for node in near far; do wg genkey >$node; wg pubkey <$node >$node.pub; done
ip -n near link add eth0 type veth peer name eth0 netns far
for node in near far; do ip -n $node link set eth0 up; ip -n $node link add wg0 type wireguard; done
ip -n near address add 192.0.2.1/24 dev eth0
ip -n far address add 192.0.2.2/24 dev eth0
more=$(seq -s, -f 10.9.%g.0/24 0 255)
for n in $(seq 0 9); do more=$more,$(seq -s, -f 10.1$n.%g.0/24 0 255); done
ip netns exec near wg set wg0 listen-port 51820 fwmark 77 private-key near peer "$(cat far.pub)" endpoint 192.0.2.2:51821 allowed-ips "10.244.1.0/24,$more"
ip netns exec far wg set wg0 listen-port 51821 private-key far peer "$(cat near.pub)" endpoint 192.0.2.1:51820 allowed-ips 10.244.0.0/24
ip -n near address add 10.244.0.0/32 dev wg0
ip -n far address add 10.244.1.0/32 dev wg0
for node in near far; do ip -n $node link set wg0 up; ip -n $node route add 10.244.0.0/16 dev wg0; done
`)
	before, err := near.TunnelDump("wireguard")
	must(t, err)
	if len(before.WireGuard) != 1 || len(before.Links) != 1 || before.Links[0].Port != 51820 {
		t.Fatalf("the dump is %+v", before)
	}
	w := before.WireGuard[0]
	if w.Unread != "" || w.Mark != 77 || len(w.Peers) != 1 || !w.Peers[0].Handshake.IsZero() || w.Peers[0].Endpoint != netip.MustParseAddrPort("192.0.2.2:51821") {
		t.Fatalf("WireGuard is %+v", w)
	}
	if allowed := w.Peers[0].Allowed; len(allowed) != 1+11*256 || !slices.Contains(allowed, netip.MustParsePrefix("10.244.1.0/24")) {
		t.Errorf("%d ranges are allowed", len(allowed))
	}
	var server net.PacketConn
	must(t, far.Enter(func() (err error) { server, err = net.ListenPacket("udp", "10.244.1.0:9"); return err }))
	defer server.Close()
	must(t, server.SetDeadline(time.Now().Add(2*time.Minute)))
	var client net.Conn
	must(t, nearNode.Enter(func() (err error) { client, err = net.Dial("udp", "10.244.1.0:9"); return err }))
	defer client.Close()
	_, err = client.Write([]byte("hello")) // waits in the device for the handshake that it makes
	must(t, err)
	_, _, err = server.ReadFrom(make([]byte, 16))
	must(t, err)
	after, err := near.TunnelDump("wireguard")
	must(t, err)
	if p := after.WireGuard[0].Peers[0]; p.Handshake.IsZero() || p.Sent == 0 || p.Received == 0 {
		t.Errorf("after a packet the peer is %+v", p)
	}
}

// A UDP port is bound once a socket has it, of IPv4 or of IPv6.
func TestBoundUDP(t *testing.T) {
	checktest.PrivateNode(t)
	v := node(t)
	for _, address := range []string{"127.0.0.1:0", "[::]:0"} {
		conn, err := net.ListenPacket("udp", address)
		must(t, err)
		port := conn.LocalAddr().(*net.UDPAddr).AddrPort().Port()
		if bound, err := v.BoundUDP(port); err != nil || !bound {
			t.Errorf("%s: bound %t, error %v", conn.LocalAddr(), bound, err)
		}
		must(t, conn.Close())
		if bound, err := v.BoundUDP(port); err != nil || bound {
			t.Errorf("%d, closed: bound %t, error %v", port, bound, err)
		}
	}
}

// A tun that no process holds has no carrier; one of Ethernet is no tunnel.
func TestTunDump(t *testing.T) {
	v := view(t, sandbox(t, "dump"))
	checktest.Shell(t, `
ip -n dump tuntap add dev flannel0 mode tun
ip -n dump tuntap add dev tap0 mode tap
ip -n dump link set flannel0 up
ip -n dump address add 10.244.1.0/32 dev flannel0
ip -n dump route add 10.244.0.0/16 dev flannel0
`)
	d, err := v.TunnelDump()
	must(t, err)
	d.Links = slices.DeleteFunc(d.Links, func(l netstate.TunnelLink) bool { return l.Kind != "tun" }) // that the kernel's modules add
	if len(d.Links) != 1 || d.Links[0].Name != "flannel0" || !d.Links[0].Unopened || len(d.Routes) != 1 {
		t.Errorf("the dump is %+v", d)
	}
}
