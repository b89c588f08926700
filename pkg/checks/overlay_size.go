// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// smallerSize is the size of packets that are tried after those of full size were lost:
// the smallest MTU of IPv6.
const smallerSize = 1280

// probeFullSize pings peers with packets of the tunnel's MTU, and those that do not answer
// with smaller ones.
func (p *pathEvidence) probeFullSize(ctx context.Context, t *Target, peers []tunnel.Peer) {
	bySize := map[int][]tunnel.Peer{}
	for _, peer := range peers {
		if mtu := p.deviceOf(peer).MTU; mtu > 0 {
			bySize[mtu] = append(bySize[mtu], peer)
		}
	}
	var again []tunnel.Peer
	for size, some := range bySize {
		for _, r := range sized(ctx, t, some, size) {
			if r.State == tunnel.Silent || r.State == tunnel.Unreachable {
				p.lost[r.Peer.Device] = append(p.lost[r.Peer.Device], lostPeer{peer: r.Peer, size: size, reason: reasonOf(r)})
				if size > smallerSize {
					again = append(again, r.Peer)
				}
			}
		}
	}
	if len(again) == 0 {
		clear(p.lost)
		return
	}
	// A node that is slow at the moment answers neither in time: only those that answer
	// smaller packets, and not those of full size once more, lose them for their size.
	smaller := map[netip.Addr]bool{}
	for _, r := range sized(ctx, t, again, smallerSize) {
		smaller[r.Peer.Probed] = r.State.Confirms()
	}
	again = slices.DeleteFunc(again, func(peer tunnel.Peer) bool { return !smaller[peer.Probed] })
	late := map[netip.Addr]bool{}
	for size, some := range bySize {
		some = slices.DeleteFunc(slices.Clone(some), func(peer tunnel.Peer) bool {
			return !slices.ContainsFunc(again, func(a tunnel.Peer) bool { return a.Probed == peer.Probed })
		})
		for _, r := range sized(ctx, t, some, size) {
			late[r.Peer.Probed] = r.State.Confirms()
		}
	}
	for device, lost := range p.lost {
		lost = slices.DeleteFunc(lost, func(l lostPeer) bool { return !smaller[l.peer.Probed] || late[l.peer.Probed] })
		for i := range lost {
			lost[i].passes = smallerSize
		}
		p.lost[device] = lost
	}
}

// sized pings peers with packets of a size.
func sized(ctx context.Context, t *Target, peers []tunnel.Peer, size int) []tunnel.ProbeResult {
	if len(peers) == 0 {
		return nil
	}
	results, err := tunnel.Probe(ctx, t.Node.ListenICMP, peers, tunnel.ProbeOptions{Wait: pathWait, RetryAfter: pathWait / 2, Within: 2 * pathWait, Bytes: size})
	if err != nil {
		return nil // nothing is known of them
	}
	return results
}

// reasonOf returns who reported why a packet was not delivered; "" for silence.
func reasonOf(r tunnel.ProbeResult) string {
	if r.State != tunnel.Unreachable {
		return ""
	}
	return unreachableText(r)
}

// sizeFindings returns the findings about the size of packets, for each device.
func (p *pathEvidence) sizeFindings() []guard.Finding {
	var findings []guard.Finding
	for _, d := range p.devices {
		room := d.room()
		tooLarge := room > 0 && d.MTU > room
		lost := p.lost[d.Name]
		f := guard.Finding{Object: "node/" + d.Name}
		var evidence string
		if tooLarge {
			evidence = fmt.Sprintf("ip link show: mtu of %s = %d, of %s = %d; the tunnel adds %d bytes", d.Name, d.MTU, d.parent.Name, d.parent.MTU, d.parent.MTU-room)
		}
		switch {
		case len(lost) > 0:
			f.Problem = fmt.Sprintf("loses packets of its full size, %d bytes, to %s, though small ones are answered%s", d.MTU, lostNames(lost), passing(lost))
			f.Impact = "connections to pods there open and then hang: TLS, large answers, image pulls"
			f.Remedy = fmt.Sprintf("Find the smallest MTU on the way, and set that of the network to it less the overhead (%d bytes here): with ping -M do -s SIZE to the node's own address, where the packet is SIZE + 28 bytes.", overheadOf(d.TunnelLink, d.peers))
			f.Evidence = fmt.Sprintf("ping -M do -s %d %s: no answer; ping -s 20 %s: answered", d.MTU-28, lost[0].peer.Probed, lost[0].peer.Probed)
			if tooLarge {
				f.Evidence = evidence + "; " + f.Evidence
				f.Command = fmt.Sprintf("ip link set dev %s mtu %d", d.Name, room)
				f.Remedy = fmt.Sprintf("Set the MTU of the network to %d, in its configuration; the command does it for %s until the network's daemon starts again. New pods get it, old ones keep theirs.", room, d.Name)
			}
		case tooLarge:
			f.Problem = fmt.Sprintf("has an MTU of %d, which needs %d bytes on %s, whose MTU is %d", d.MTU, d.MTU+d.parent.MTU-room, d.parent.Name, d.parent.MTU)
			f.Evidence, f.Minor = evidence, true
			f.Impact = "full-size packets are fragmented on the way, which is slow, and they are lost where fragments are dropped"
			f.Remedy = fmt.Sprintf("Set the MTU of the network to %d or less, in its configuration.", room)
		default:
			continue
		}
		findings = append(findings, f)
	}
	return limitFindings(findings)
}

func lostNames(lost []lostPeer) string {
	var names []string
	for _, l := range lost {
		names = append(names, peerName(l.peer))
	}
	slices.Sort(names)
	return named(names)
}

// passing says which smaller size passes, and what a host on the way said.
func passing(lost []lostPeer) string {
	text := ""
	if at := slices.IndexFunc(lost, func(l lostPeer) bool { return l.passes > 0 }); at >= 0 {
		text = fmt.Sprintf(", and those of %d bytes", lost[at].passes)
	}
	if at := slices.IndexFunc(lost, func(l lostPeer) bool { return l.reason != "" }); at >= 0 {
		text += ": it " + lost[at].reason
	}
	return text
}
