// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"fmt"
	"net/netip"
	"sync"

	"github.com/cni-guard/cni-guard/pkg/echo"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// A brokenPeer answers pings in the tunnel, and neither TCP nor UDP, which it answers at
// its own address.
type brokenPeer struct {
	peer  tunnel.Peer
	inner protocols
	outer protocols
}

// protocols are the answers over both protocols.
type protocols struct{ tcp, udp echo.Answer }

// echoSize is the size of a request: with checksums, but of no size that could get lost.
const echoSize = 256

// askEchoes asks for the echo service of peers. A peer that refuses is as good as one that
// answers: its kernel accepted the checksum.
func (p *pathEvidence) askEchoes(ctx context.Context, t *Target, peers []tunnel.Peer) {
	p.passed = map[netip.Addr]bool{}
	inner := make([]protocols, len(peers))
	var all sync.WaitGroup
	for i, peer := range peers {
		all.Go(func() { inner[i] = askEcho(ctx, t, peer.Probed) })
	}
	all.Wait()
	outer := make([]protocols, len(peers))
	for i, peer := range peers {
		p.passed[peer.Probed] = inner[i].tcp.State.Passes()
		if inner[i].silent() && peer.Outer.IsValid() {
			all.Go(func() { outer[i] = askEcho(ctx, t, peer.Outer) })
		}
	}
	all.Wait()
	for i, peer := range peers {
		if inner[i].silent() && outer[i].tcp.State == echo.Answered && outer[i].udp.State == echo.Answered {
			p.broken = append(p.broken, brokenPeer{peer, inner[i], outer[i]})
		}
	}
}

// silent reports whether neither protocol passes. One alone is the rule of a firewall.
func (p protocols) silent() bool {
	return p.tcp.State == echo.Silent && p.udp.State == echo.Silent
}

func askEcho(ctx context.Context, t *Target, addr netip.Addr) (p protocols) {
	ctx, cancel := context.WithTimeout(ctx, echoWithin)
	defer cancel()
	to := netip.AddrPortFrom(addr, echo.Port)
	var both sync.WaitGroup
	both.Go(func() { p.tcp = echo.TCP(ctx, t.Node.Dial, to, echoSize) })
	both.Go(func() { p.udp = echo.UDP(ctx, t.Node.Dial, to, echoSize) })
	both.Wait()
	return p
}

// checksumFindings returns the findings about checksums that a NIC breaks.
func (p *pathEvidence) checksumFindings(t *Target) []guard.Finding {
	var findings []guard.Finding
	for _, b := range p.broken {
		d := p.deviceOf(b.peer)
		offload, err := t.Node.Offload(d.Name)
		release, _ := t.Node.Sysctl("kernel/osrelease")
		f := guard.Finding{
			Object:   "node/" + d.Name,
			Problem:  fmt.Sprintf("carries pings to %s, and neither TCP nor UDP, which the node itself answers: a NIC or a kernel breaks the checksums of what it encapsulates, or the peer's firewall drops both on its tunnel device", peerName(b.peer)),
			Evidence: fmt.Sprintf("port %d of %s: TCP and UDP silent; of %s: answered; kernel %s", echo.Port, b.peer.Probed, b.peer.Outer, release),
			Impact:   "pods on the two nodes can ping each other, but TCP and UDP fail",
			Remedy:   fmt.Sprintf("On both nodes: ethtool -K %s tx-checksum-ip-generic off. If TCP then passes, make the network plugin set that (Calico: FELIX_FEATUREDETECTOVERRIDE=ChecksumOffloadBroken=true; flannel 0.26 and later does it itself), and update the driver or kernel.", d.Name),
			Minor:    true,
		}
		if err == nil && offload.Checksum {
			f.Minor = false
			f.Evidence += fmt.Sprintf("; ethtool -k %s: tx-checksumming: on%s", d.Name, driverOf(t, d))
			f.Command = fmt.Sprintf("ethtool -K %s tx-checksum-ip-generic off", d.Name)
		}
		findings = append(findings, f)
	}
	if len(findings) > 0 {
		return limitFindings(findings)
	}
	return p.knownDrivers(t)
}

func driverOf(t *Target, d overlayDevice) string {
	if d.parent.Name == "" {
		return ""
	}
	below, err := t.Node.Offload(d.parent.Name)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("; driver of %s: %s", d.parent.Name, below.Driver)
}

// knownDrivers returns the findings about a driver that is known to break checksums, for
// devices through which TCP was not seen to pass.
func (p *pathEvidence) knownDrivers(t *Target) []guard.Finding {
	var findings []guard.Finding
	for _, d := range p.devices {
		if d.Kind != "vxlan" || d.parent.Name == "" || p.passesTCP(d) {
			continue
		}
		below, err := t.Node.Offload(d.parent.Name)
		if err != nil || below.Driver != "vmxnet3" {
			continue
		}
		own, err := t.Node.Offload(d.Name)
		if err != nil || !own.Checksum {
			continue
		}
		findings = append(findings, guard.Finding{
			Object:   "node/" + d.Name,
			Problem:  fmt.Sprintf("leaves checksums to %s, whose driver vmxnet3 breaks those of VXLAN on some versions of ESXi, and no peer showed that TCP passes", d.parent.Name),
			Evidence: fmt.Sprintf("ethtool -i %s: driver: vmxnet3; ethtool -k %s: tx-checksumming: on", d.parent.Name, d.Name),
			Impact:   "pods on two nodes may be able to ping each other, but not to use TCP or UDP (calico#9433, k3s#8348)",
			Remedy:   fmt.Sprintf("Check whether a pod reaches a pod of another node over TCP. If not: ethtool -K %s tx-checksum-ip-generic off, on every node.", d.Name),
			Minor:    true,
		})
	}
	return findings
}

func (p *pathEvidence) passesTCP(d overlayDevice) bool {
	for _, peer := range d.peers {
		if p.passed[peer.Probed] {
			return true
		}
	}
	return false
}
