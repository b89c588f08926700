// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// TunnelWarmup pings the peers of tunnels that gave no answer for a while. It is a probe
// that acts, not a repair, because there is no finding to repair: on a firewall without a
// rule for the tunnel the ping opens the way back, whether or not it is answered. It does
// so in audit mode too: the ping changes nothing on this node.
var TunnelWarmup = &Check{
	ID:        "CG401",
	Name:      "tunnel-warmup",
	Summary:   "The first packets of a new pod to another node are lost if the tunnel has not been used for ten minutes, until the other node sends a packet.",
	Detection: "The peers are taken from the routes over tunnel devices. The node pings each peer that has not answered within `interval`, a second time if needed. An answer counts if it arrives through the tunnel. The results are in `stateDir/tunnels/peers.json`. Silence is a finding only if `require` says so.",
	Remedy:    "Allow IP protocol 4 (ipencap; not 94, which some call ipip) between the nodes in every firewall and security group; run guardctl tunnels --probe to see which peers are silent.",
	When:      guard.Add,
	Default:   guard.Warn,
	Options:   &TunnelWarmupOptions{},
	Needs:     []*Check{StaleNetns, HostNetns, ForeignNetns},
	Probe:     probeTunnelWarmup,
}

// TunnelWarmupOptions are the options of the check tunnel-warmup: which tunnels ADD
// warms, and how long it may take.
type TunnelWarmupOptions struct {
	Wait     time.Duration  // how long ADD waits for answers at most
	Interval time.Duration  // how long a peer that answered counts as warm
	Kinds    []string       // IFLA_INFO_KIND of the links
	Peers    []netip.Addr   // further addresses to warm
	Max      int            // peers that one ADD asks
	Require  tunnel.Require // whose answer a pod must have
}

// maxPeers is the most that one ADD can ask: requests are distinguished by 16 bits.
const maxPeers = 65000

// Keys implements guard.Options.
func (o *TunnelWarmupOptions) Keys() []guard.Option {
	return []guard.Option{
		{
			Key: "wait", Value: guard.Duration(&o.Wait, 200*time.Millisecond, 0, time.Second),
			Meaning: "The longest time that an ADD waits for answers, at most `1s`. It waits only for peers that were never probed or whose last answer is older than `interval`. With `0s` it does not wait, and which peers answered stays unknown.",
		},
		{
			// Ten minutes are the nf_conntrack_generic_timeout of Linux and the timeout of AWS security groups.
			Key: "interval", Value: guard.Duration(&o.Interval, 5*time.Minute, 10*time.Second, 10*time.Minute),
			Meaning: "How long an answer counts; from `10s` to `10m`, after which connection tracking forgets a tunnel.",
		},
		{
			Key: "kinds", Value: guard.List(&o.Kinds, []string{"ipip"}, "ipip", parseTunnelKind),
			Meaning: "The kinds of tunnels to warm, as `ip -d link` shows them. Only protocols that a firewall tracks by addresses alone (ipip, sit, gre) go cold.",
		},
		{
			Key: "peers", Value: guard.List(&o.Peers, nil, "10.244.1.0", ParsePeer),
			Meaning: "Addresses to warm in addition to those found in the kernel's routes, such as the tunnel addresses of other nodes.",
		},
		{
			Key: "max", Value: guard.Int(&o.Max, 1000, 1, maxPeers),
			Meaning: "How many peers one ADD probes at most; the next ADD probes the next ones.",
		},
		{
			Key: "require", Value: guard.OneOf(&o.Require, tunnel.RequireNone, tunnel.RequireAny, tunnel.RequireAll),
			Meaning: "With `any` it is a finding if no peer has answered, with `all` if some peer has not. With `none` silent peers are not a finding, because silence proves nothing. Do not combine `all` with `enforce` lightly: a single node that is off or drops pings then keeps pods from starting on all other nodes until it is back.",
		},
	}
}

// parseTunnelKind refuses a kind that no tunnel device has.
func parseTunnelKind(kind string) (string, error) {
	if valid := netstate.TunnelKinds(); !slices.Contains(valid, kind) {
		return "", fmt.Errorf("kind %q is unknown%s", kind, guard.Suggest(kind, valid))
	}
	return kind, nil
}

// ParsePeer reads the address of a node. It refuses an address that a single node cannot have.
func ParsePeer(text string) (netip.Addr, error) {
	addr, err := netip.ParseAddr(text)
	if err != nil || addr.Zone() != "" || addr.IsMulticast() || addr.IsUnspecified() {
		return addr, fmt.Errorf("%q is not the address of a node", text)
	}
	return addr.Unmap(), nil
}

func probeTunnelWarmup(ctx context.Context, t *Target) ([]guard.Finding, error) {
	o := options[*TunnelWarmupOptions](t)
	k := tunnel.Keeper{
		Kinds:    o.Kinds,
		Extra:    o.Peers,
		Interval: o.Interval,
		Wait:     o.Wait,
		Max:      o.Max,
		Require:  o.Require,
		Dump:     func() (netstate.TunnelDump, error) { return t.Node.TunnelDump(o.Kinds...) },
		Open:     t.Node.ListenICMP,
		Local:    func(addr netip.Addr) bool { return isLocal(t, addr) },
	}
	if t.StateDir != "" {
		k.Store = tunnel.PeerStoreIn(t.StateDir)
	}
	result, err := k.Pass(ctx)
	switch {
	case errors.Is(err, tunnel.ErrBusy) && !o.Require.NeedsAnswers():
		return nil, nil // the other ADD warms the peers for this pod as well
	case err != nil || result.Suppressed || result.Satisfies(o.Require):
		return nil, err
	}
	return o.coldFindings(result)
}

// isLocal reports whether the node has an address itself.
func isLocal(t *Target, addr netip.Addr) bool {
	hop, err := t.Node.Lookup(addr)
	return err == nil && hop.Local
}

// coldFindings returns a finding that names peers that did not answer. Peers that were not
// probed yet are none.
func (o *TunnelWarmupOptions) coldFindings(r tunnel.Result) ([]guard.Finding, error) {
	const named = 3
	var some []string
	for _, c := range r.Cold[:min(len(r.Cold), named)] {
		some = append(some, coldText(c))
	}
	if more := len(r.Cold) - named; more > 0 {
		some = append(some, fmt.Sprintf("and %d more", more))
	}
	unprobed := r.Peers - r.Answered - len(r.Cold)
	if len(r.Cold) == 0 || o.Require == tunnel.RequireAny && unprobed > 0 {
		return nil, fmt.Errorf("check whether the tunnels are warm: %d of %d peers were not probed, or their answers not awaited", unprobed, r.Peers)
	}
	problem := fmt.Sprintf("are cold: %d of %d peers have not answered (%s)", len(r.Cold), r.Peers, strings.Join(some, "; "))
	return []guard.Finding{{Object: "tunnels", Problem: problem}}, nil
}

// coldText describes a peer: "10.244.1.0 through tunl0, node 192.0.2.7: silent".
func coldText(c tunnel.ColdPeer) string {
	var b strings.Builder
	b.WriteString(c.Peer.Probed.String())
	if c.Peer.Device != "" {
		b.WriteString(" through " + c.Peer.Device)
	}
	if c.Peer.Outer.IsValid() {
		b.WriteString(", node " + c.Peer.Outer.String())
	}
	b.WriteString(": " + c.State.String())
	if c.Reason != "" {
		b.WriteString(", " + c.Reason)
	}
	if c.By.IsValid() {
		b.WriteString(" (" + c.By.String() + ")")
	}
	return b.String()
}
