// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// TunnelWarmupOptions are the options of the check tunnel-warmup: which tunnels ADD
// warms, and how long it may take.
type TunnelWarmupOptions struct {
	Wait     time.Duration // how long ADD waits for answers at most
	Interval time.Duration // how long a peer that answered counts as warm
	Kinds    []string      // IFLA_INFO_KIND of the links
	Peers    []netip.Addr  // further addresses to warm
	Max      int           // peers that one ADD asks
	Require  Require       // whose answer a pod must have
}

// maxPeers is the most that one ADD can ask: requests are told apart by 16 bits.
const maxPeers = 65000

// Keys implements guard.Options.
func (o *TunnelWarmupOptions) Keys() []guard.Option {
	return []guard.Option{
		{
			Key: "wait", Value: guard.Duration(&o.Wait, 200*time.Millisecond, 0, time.Second),
			Meaning: "How long an ADD waits for answers at most, and only for peers that were never asked, or whose last answer is older than `interval`; at most `1s`, and `0s` waits for nobody, so that nobody knows who answered.",
		},
		{
			// Ten minutes are the nf_conntrack_generic_timeout of Linux and the timeout of AWS security groups.
			Key: "interval", Value: guard.Duration(&o.Interval, 5*time.Minute, 10*time.Second, 10*time.Minute),
			Meaning: "How long an answer counts; from `10s` to `10m`, which is when connection tracking forgets a tunnel.",
		},
		{
			Key: "kinds", Value: guard.List(&o.Kinds, []string{"ipip"}, "ipip", parseTunnelKind),
			Meaning: "The kinds of tunnels to warm, as `ip -d link` shows them. Only IP protocols that a firewall knows no more of than the addresses (ipip, sit, gre) go cold.",
		},
		{
			Key: "peers", Value: guard.List(&o.Peers, nil, "10.244.1.0", ParsePeer),
			Meaning: "Addresses to warm beside those that the kernel's routes tell, such as the tunnel addresses of other nodes.",
		},
		{
			Key: "max", Value: guard.Int(&o.Max, 1000, 1, maxPeers),
			Meaning: "How many peers one ADD asks at most; the next asks the next ones.",
		},
		{
			Key: "require", Value: guard.OneOf(&o.Require, RequireNone, RequireAny, RequireAll),
			Meaning: "`any` or `all` makes it a finding when no peer, or not every peer, has answered; with `none` silent peers are none, since silence proves nothing. Beware of `all` under `enforce`: one node that is off, or drops pings, keeps every pod from starting on every other node, until seconds after it is back.",
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

// Require says whose answer a pod must have.
type Require string

const (
	RequireNone Require = "none" // nobody's
	RequireAny  Require = "any"  // that of one peer
	RequireAll  Require = "all"  // that of all
)
