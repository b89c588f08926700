// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"net/netip"
	"time"

	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// Bounds of what is gathered beside the pings.
const (
	maxCounted = 8                      // devices whose counters are read: kube-router has one for each peer
	maxAsked   = 16                     // peers that are asked for their MAC
	askWithin  = 200 * time.Millisecond // for the answers
	maxLookups = 256
)

// countersOf returns the counters of the devices of peers.
func (e *tunnelEvidence) countersOf(t *Target, peers []tunnel.Peer) map[string]netstate.LinkCounters {
	counters := map[string]netstate.LinkCounters{}
	for _, p := range peers {
		if _, read := counters[p.Device]; read || len(counters) >= maxCounted {
			continue
		}
		if c, err := t.Node.LinkCounters(p.Device); err == nil { // without them other evidence decides
			counters[p.Device] = c
		}
	}
	return counters
}

// growthSince returns what counters have gained.
func (e *tunnelEvidence) growthSince(t *Target, before map[string]netstate.LinkCounters) map[string]netstate.LinkCounters {
	grown := map[string]netstate.LinkCounters{}
	for device, had := range before {
		now, err := t.Node.LinkCounters(device)
		if err != nil {
			continue
		}
		grown[device] = netstate.LinkCounters{
			RxOtherhost: now.RxOtherhost - min(had.RxOtherhost, now.RxOtherhost),
			TxPackets:   now.TxPackets - min(had.TxPackets, now.TxPackets),
			TxDropped:   now.TxDropped - min(had.TxDropped, now.TxDropped),
		}
	}
	return grown
}

// askMACs asks silent peers, and nodes without a route, whose own addresses answer, for
// the MACs of their devices.
func (e *tunnelEvidence) askMACs(ctx context.Context, t *Target) {
	var questions []netstate.MACQuestion
	ask := func(device string, outer, inner netip.Addr) {
		d := e.devices[device]
		if len(questions) < maxAsked && d.Kind == "vxlan" && inner.Is4() && e.outer[outer].State.Confirms() {
			questions = append(questions, netstate.MACQuestion{Tunnel: d, Outer: outer, Inner: inner})
		}
	}
	for _, r := range e.inner {
		if r.State == tunnel.Silent && !r.Peer.Guessed {
			ask(r.Peer.Device, r.Peer.Outer, r.Peer.Probed)
		}
	}
	for _, u := range e.unrouted {
		ask(u.Device, u.Outer, u.Inner)
	}
	e.macs = map[peerEnd]netstate.MAC{}
	if len(questions) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	macs, _ := t.Node.AskMAC(ctx, questions) // what could not be asked remains unknown
	for i, mac := range macs {
		e.macs[peerEnd{questions[i].Outer, questions[i].Inner}] = mac
	}
}

// lookUp finds outer addresses that are routed into their own tunnel.
func (e *tunnelEvidence) lookUp(t *Target) {
	e.circles = map[netip.Addr]bool{}
	lookups := 0
	for _, r := range e.inner {
		p := r.Peer
		if r.State != tunnel.Silent || !p.Outer.IsValid() || lookups >= maxLookups || p.Kind == "wireguard" { // whose mark may choose another table
			continue
		}
		lookups++
		hop, err := t.Node.Lookup(p.Outer)
		e.circles[p.Outer] = e.circles[p.Outer] || err == nil && hop.Link != 0 && hop.Link == e.devices[p.Device].Index
	}
}
