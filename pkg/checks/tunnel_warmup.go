// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// TunnelWarmup sends an echo request through the tunnels to peers that gave no
// answer for a while. It is a probe that acts, and no repair, as there is no
// finding to mend: on a firewall without a rule for the tunnel the request opens
// the way back, whether or not an answer comes. That also holds in audit mode: the
// request changes nothing on this node.
var TunnelWarmup = &Check{
	Name:      "tunnel-warmup",
	Summary:   "The first packets of a new pod to another node vanish in a tunnel that has not been used for ten minutes, until the other node has sent one.",
	Detection: "The peers are taken from the routes over tunnel devices. Those that did not answer within `interval` are sent an echo request by the node, and a second one if need be. An answer counts if it comes in by the tunnel; what came of it is in `stateDir/tunnels/peers.json`. Silence is a finding only where `require` says so.",
	Remedy:    "Allow IP protocol 4 (ipencap; not 94, which some call ipip) between the nodes in every firewall and security group; run guardctl tunnels --probe to see who is silent.",
	When:      guard.Add,
	Default:   guard.Warn,
	Options:   &TunnelWarmupOptions{},
	Needs:     []*Check{StaleNetns, HostNetns, ForeignNetns},
	Probe:     probeTunnelWarmup,
}

func probeTunnelWarmup(ctx context.Context, t *Target) ([]guard.Finding, error) {
	o := options[*TunnelWarmupOptions](t)
	w := tunnel.Warmer{
		Kinds:    o.Kinds,
		Extra:    o.Peers,
		Interval: o.Interval,
		Wait:     o.Wait,
		Max:      o.Max,
		Dump:     func() (netstate.TunnelDump, error) { return t.Node.TunnelDump(o.Kinds...) },
		Open:     t.Node.ListenICMP, // whoever is in the pod already could answer what leaves from there
		Local:    func(addr netip.Addr) bool { return isLocal(t, addr) },
	}
	if t.StateDir != "" {
		w.Memory = tunnel.MemoryOf(t.StateDir)
	}
	if o.demands() {
		w.Demands, w.Satisfied = string(o.Require), o.satisfied
	}
	warmth, err := w.Warm(ctx)
	switch {
	case errors.Is(err, tunnel.ErrBusy) && !o.demands():
		return nil, nil // that other ADD warmed them for this pod as well
	case err != nil || warmth.Quiet || !o.demands() || o.satisfied(warmth):
		return nil, err
	}
	return o.cold(warmth)
}

// isLocal reports whether the node has an address itself.
func isLocal(t *Target, addr netip.Addr) bool {
	hop, err := t.Node.Lookup(addr)
	return err == nil && hop.Local
}

func (o *TunnelWarmupOptions) demands() bool {
	return o.Require == RequireAny || o.Require == RequireAll
}

// satisfied reports whether those have answered whose answer is required. A node
// that has no peers has none to wait for.
func (o *TunnelWarmupOptions) satisfied(w tunnel.Warmth) bool {
	if o.Require == RequireAny {
		return w.Confirmed > 0 || w.Peers == 0
	}
	return w.Confirmed == w.Peers
}

// cold makes a finding of those who did not answer. That a peer was not asked yet
// is none.
func (o *TunnelWarmupOptions) cold(w tunnel.Warmth) ([]guard.Finding, error) {
	const named = 3
	var some []string
	for _, c := range w.Cold[:min(len(w.Cold), named)] {
		some = append(some, describe(c))
	}
	if more := len(w.Cold) - named; more > 0 {
		some = append(some, fmt.Sprintf("and %d more", more))
	}
	unasked := w.Peers - w.Confirmed - len(w.Cold)
	if len(w.Cold) == 0 || o.Require == RequireAny && unasked > 0 {
		return nil, fmt.Errorf("tell whether the tunnels are warm: %d of %d peers were not asked, or not waited for", unasked, w.Peers)
	}
	problem := fmt.Sprintf("are cold: %d of %d peers have not answered (%s)", len(w.Cold), w.Peers, strings.Join(some, "; "))
	return []guard.Finding{{Object: "tunnels", Problem: problem}}, nil
}

// describe names a peer: "10.244.1.0 by tunl0 at node 192.0.2.7: silent".
func describe(c tunnel.Cold) string {
	var b strings.Builder
	b.WriteString(c.Peer.Probed.String())
	if c.Peer.Device != "" {
		b.WriteString(" by " + c.Peer.Device)
	}
	if c.Peer.Outer.IsValid() {
		b.WriteString(" at node " + c.Peer.Outer.String())
	}
	b.WriteString(": " + c.State.String())
	if c.Why != "" {
		b.WriteString(", " + c.Why)
	}
	if c.By.IsValid() {
		b.WriteString(" (" + c.By.String() + ")")
	}
	return b.String()
}
