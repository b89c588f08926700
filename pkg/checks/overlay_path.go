// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// overlayPath looks for what small pings through a tunnel do not show: packets of full
// size that get lost, and checksums that a NIC breaks, which ICMP in a tunnel does not use.
type overlayPath struct{}

func (overlayPath) declare() guard.Declaration { return guard.Declaration{Name: "overlay-path"} }

func (overlayPath) check() *Check {
	return &Check{
		ID:        "CG403",
		Summary:   "Pods on two nodes can ping each other but not exchange data: connections open and then hang because full-size packets are lost, or TCP and UDP fail altogether because a NIC or a kernel breaks the checksums of encapsulated packets.",
		Detection: "The MTU of each tunnel with peers is compared with that of the underlying device less the overhead (vxlan and geneve 50 bytes, over IPv6 70; ipip and sit 20, ip6tnl 40, gre 24, gretap 38, wireguard 60, over IPv6 80). Some of the peers that answer a small ping are sent one of the size of the tunnel's MTU that must not be fragmented. If it is lost, that is a finding; an MTU that is too large is a minor finding by itself. On the same peers, a TCP connection and a UDP datagram are tried at port 10977, the echo service of the agent: an answer or a refusal shows that checksums are correct. It is a finding if both go unanswered through the tunnel but are answered at the node's own address. The driver vmxnet3 with VXLAN and checksum offload on is a minor finding unless TCP passes. Growth of InCsumErrors of TCP and UDP (/proc/net/snmp) since the last run is a minor finding.",
		Remedy:    "Set the MTU of the tunnel, in the configuration of the network, to the MTU of the path less the overhead. For checksums, run ethtool -K TUNNEL tx-checksum-ip-generic off on every node, and check whether TCP then passes.",
		When:      guard.Node,
		Default:   guard.Warn,
		Probe:     probeOverlayPath,
	}
}

// Bounds of one run, as those of tunnel-peers.
const (
	pathPeers   = 8
	pathDevices = 16 // whose MTU is compared
	pathWait    = 300 * time.Millisecond
	echoWithin  = 300 * time.Millisecond
)

// An overlayDevice is a device with peers.
type overlayDevice struct {
	netstate.TunnelLink
	peers  []tunnel.Peer
	parent netstate.Link // below it; the zero Link if it is not known
}

// room returns the largest packet in the tunnel that the device below takes; 0 if that is
// not known.
func (d overlayDevice) room() int {
	overhead := overheadOf(d.TunnelLink, d.peers)
	if overhead == 0 || d.parent.MTU <= overhead {
		return 0
	}
	return d.parent.MTU - overhead
}

// overheadOf returns the bytes that a tunnel adds; 0 if that is not known. Outer and inner
// Ethernet cancel each other, so that vxlan adds an IP header, 8 bytes of UDP, 8 of its own
// and 14 of the inner frame.
func overheadOf(l netstate.TunnelLink, peers []tunnel.Peer) int {
	ip := 20
	if slices.ContainsFunc(peers, func(p tunnel.Peer) bool { return p.Outer.Is6() }) {
		ip = 40
	}
	udp := 0
	if l.Port != 0 {
		udp = 8
	}
	switch l.Kind {
	case "vxlan", "geneve":
		return ip + 8 + 8 + 14
	case "ipip", "sit":
		return 20 + udp
	case "ip6tnl":
		return 40 + udp
	case "gre":
		return 24 + udp
	case "gretap":
		return 38 + udp
	case "wireguard": // 8 of UDP, 16 of its header, 16 of the authentication
		return ip + 40
	}
	return 0
}

func probeOverlayPath(ctx context.Context, t *Target) ([]guard.Finding, error) {
	all, err := t.tunnels()
	if err != nil {
		return nil, err
	}
	devices := overlayDevices(t, all)
	if len(devices) == 0 {
		return nil, guard.Skip("no tunnel of this node has peers that the kernel knows")
	}
	answering, err := answeringPeers(ctx, t, devices)
	p := pathEvidence{devices: devices, lost: map[string][]lostPeer{}}
	if err == nil {
		p.probeFullSize(ctx, t, answering)
		if findings := p.sizeFindings(); len(findings) > 0 { // there is no time for both
			return append(findings, t.checksumErrors()...), nil
		}
		p.askEchoes(ctx, t, answering)
	}
	findings := append(p.sizeFindings(), p.checksumFindings(t)...)
	findings = append(findings, t.checksumErrors()...)
	if len(findings) > 0 {
		return findings, nil
	}
	return nil, err
}

// overlayDevices returns the devices that are up and have peers, with what is below them.
func overlayDevices(t *Target, all *nodeTunnels) []overlayDevice {
	peers := map[string][]tunnel.Peer{}
	for _, p := range withoutVPNs(t, all.Peers) {
		peers[p.Device] = append(peers[p.Device], p)
	}
	var devices []overlayDevice
	for _, l := range all.Links {
		if !l.Up || len(peers[l.Name]) == 0 || l.Kind == "openvswitch" || len(devices) >= pathDevices {
			continue
		}
		d := overlayDevice{TunnelLink: l, peers: peers[l.Name]}
		for _, p := range d.peers {
			if !p.Outer.IsValid() {
				continue
			}
			hop, err := t.Node.Lookup(p.Outer)
			if err == nil && hop.Link != 0 && hop.Link != l.Index && !hop.Local {
				d.parent, _ = t.Node.LinkByIndex(hop.Link) // without it the size of packets decides
			}
			break
		}
		devices = append(devices, d)
	}
	return devices
}

// answeringPeers returns some peers that answer a small ping: nothing can be said of the
// others.
func answeringPeers(ctx context.Context, t *Target, devices []overlayDevice) ([]tunnel.Peer, error) {
	var sample []tunnel.Peer
	for _, d := range devices {
		for _, at := range rand.Perm(len(d.peers))[:min(len(d.peers), max(1, pathPeers/len(devices)))] {
			if p := d.peers[at]; p.Probed.IsValid() {
				p.Also = nil // each must be asked at one address
				sample = append(sample, p)
			}
		}
	}
	if len(sample) == 0 {
		return nil, nil
	}
	results, err := tunnel.Probe(ctx, t.Node.ListenICMP, sample, tunnel.ProbeOptions{Wait: pathWait, RetryAfter: pathWait / 2, Within: 2 * pathWait})
	if err != nil {
		return nil, fmt.Errorf("probe the peers of tunnels: %w", err)
	}
	var answering []tunnel.Peer
	for _, r := range results {
		if r.State.Confirms() {
			answering = append(answering, r.Peer)
		}
	}
	return answering, nil
}

// deviceOf returns the device of a peer.
func (p *pathEvidence) deviceOf(peer tunnel.Peer) overlayDevice {
	at := slices.IndexFunc(p.devices, func(d overlayDevice) bool { return d.Name == peer.Device })
	return p.devices[at]
}

// checksumErrors returns the finding that packets with wrong checksums arrive.
func (t *Target) checksumErrors() []guard.Finding {
	const check, tcp, udp = "overlay-path", "snmp/Tcp:InCsumErrors", "snmp/Udp:InCsumErrors"
	const many = 20 // single ones are damaged on the way
	now, err := t.readCounters(tcp, udp)
	if err != nil || len(now) == 0 {
		return nil
	}
	last := t.lastCounted(check)
	reading := counted{At: t.now(), Values: now}
	var findings []guard.Finding
	if last.Values != nil {
		g := growthSince(last, now)
		if g.By[tcp]+g.By[udp] >= many {
			findings = append(findings, guard.Finding{
				Object:   "node",
				Problem:  fmt.Sprintf("got %d packets with wrong checksums %s", g.By[tcp]+g.By[udp], g.Over),
				Evidence: fmt.Sprintf("/proc/net/snmp: InCsumErrors of Tcp %d -> %d, of Udp %d -> %d", g.From[tcp], now[tcp], g.From[udp], now[udp]),
				Impact:   "a sender's NIC or kernel breaks the checksums of what it encapsulates, and its TCP and UDP to this node fail or take seconds",
				Remedy:   "Find the sender, on this node: tcpdump -vvv -ni any 'tcp or udp' | grep -i incorrect. Then, on the sender: ethtool -K TUNNEL tx-checksum-ip-generic off. Kernels before 5.7 break checksums after NAT in VXLAN (kubernetes PR 92035).",
				Minor:    true,
			})
			if t.now().Sub(last.At) < fresh { // so that a second run reports the same
				reading = last
			}
		}
	}
	t.keepCounted(check, reading)
	return findings
}

// A lostPeer is one that answers small pings, and not those of full size.
type lostPeer struct {
	peer   tunnel.Peer
	size   int    // that was lost
	passes int    // a smaller size that was answered; 0: none was
	reason string // of a host that said why; "": silence
}

// A pathEvidence is what was found out about the peers that answer.
type pathEvidence struct {
	devices []overlayDevice
	lost    map[string][]lostPeer // by device
	passed  map[netip.Addr]bool   // TCP passes, by the probed address
	broken  []brokenPeer
}
