// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// tunnelWarmupName is the name of the check, and of its place in the configuration.
const tunnelWarmupName = "tunnel-warmup"

// TunnelWarmupOptions say which tunnels ADD warms, and how long it may take.
type TunnelWarmupOptions struct {
	Wait     WarmupWait     // how long ADD waits for answers at most
	Interval WarmupInterval // how long a peer that answered counts as warm
	Kinds    TunnelKinds    // IFLA_INFO_KIND of the links
	Peers    WarmupPeers    // further addresses to warm
	Max      PeerCount      // peers that one ADD asks
	Require  Require        // whose answer a pod must have
}

func defaultTunnelWarmupOptions() TunnelWarmupOptions {
	return TunnelWarmupOptions{
		Wait:     WarmupWait(200 * time.Millisecond),
		Interval: WarmupInterval(5 * time.Minute),
		Kinds:    TunnelKinds{"ipip"},
		Max:      1000,
		Require:  RequireNone,
	}
}

func (o *TunnelWarmupOptions) keys() map[string]any {
	return map[string]any{"wait": &o.Wait, "interval": &o.Interval, "kinds": &o.Kinds, "peers": &o.Peers, "max": &o.Max, "require": &o.Require}
}

// tunnelWarmupOptions documents the keys.
func tunnelWarmupOptions() []guard.Option {
	return []guard.Option{
		{Key: "wait", Default: `"200ms"`, Means: "How long an ADD waits for answers at most, and only for peers that were never asked, or whose last answer is older than `interval`; at most `1s`, and `0s` waits for nobody, so that nobody knows who answered."},
		{Key: "interval", Default: `"5m"`, Means: "How long an answer counts; from `10s` to `10m`, which is when connection tracking forgets a tunnel."},
		{Key: "kinds", Default: `["ipip"]`, Means: "The kinds of tunnels to warm, as `ip -d link` shows them. Only IP protocols that a firewall knows no more of than the addresses (ipip, sit, gre) go cold."},
		{Key: "peers", Default: `[]`, Means: "Addresses to warm beside those that the kernel's routes tell, such as the tunnel addresses of other nodes."},
		{Key: "max", Default: `1000`, Means: "How many peers one ADD asks at most; the next asks the next ones."},
		{Key: "require", Default: `"none"`, Means: "`any` or `all` makes it a finding when no peer, or not every peer, has answered; with `none` silent peers are none, since silence proves nothing. Beware of `all` under `enforce`: one node that is off, or drops pings, keeps every pod from starting on every other node, until seconds after it is back."},
	}
}

// A WarmupWait is from 0 to a second: a pod waits for it.
type WarmupWait Duration

// UnmarshalJSON implements json.Unmarshaler.
func (w *WarmupWait) UnmarshalJSON(b []byte) error {
	return within(b, (*Duration)(w), 0, time.Second)
}

// A WarmupInterval is from ten seconds to ten minutes, the
// nf_conntrack_generic_timeout of Linux and the timeout of AWS security groups.
type WarmupInterval Duration

// UnmarshalJSON implements json.Unmarshaler.
func (i *WarmupInterval) UnmarshalJSON(b []byte) error {
	return within(b, (*Duration)(i), 10*time.Second, 10*time.Minute)
}

func within(b []byte, d *Duration, least, most time.Duration) error {
	var read Duration
	if err := json.Unmarshal(b, &read); err != nil {
		return err
	}
	if read := time.Duration(read); read < least || read > most {
		return fmt.Errorf("%s is not from %s to %s", read, least, most)
	}
	*d = read
	return nil
}

// TunnelKinds are kinds of tunnel devices.
type TunnelKinds []string

// UnmarshalJSON refuses a kind that no tunnel has.
func (k *TunnelKinds) UnmarshalJSON(b []byte) error {
	var kinds []string
	if err := json.Unmarshal(b, &kinds); err != nil {
		return fmt.Errorf(`want a list of kinds such as ["ipip"]: %w`, err)
	}
	valid := netstate.TunnelKinds()
	for _, kind := range kinds {
		if !slices.Contains(valid, kind) {
			return fmt.Errorf("kind %q is unknown%s", kind, guard.Suggest(kind, valid))
		}
	}
	*k = kinds
	return nil
}

// WarmupPeers are addresses of other nodes.
type WarmupPeers []netip.Addr

// UnmarshalJSON refuses what no single node can have.
func (p *WarmupPeers) UnmarshalJSON(b []byte) error {
	var texts []string
	if err := json.Unmarshal(b, &texts); err != nil {
		return fmt.Errorf(`want a list of addresses such as ["10.244.1.0"]: %w`, err)
	}
	all := make(WarmupPeers, len(texts))
	for i, text := range texts {
		addr, err := netip.ParseAddr(text)
		if err != nil || addr.Zone() != "" || addr.IsMulticast() || addr.IsUnspecified() {
			return fmt.Errorf("%q is no address of a node", text)
		}
		all[i] = addr.Unmap()
	}
	*p = all
	return nil
}

// A PeerCount is from 1 to 65,000.
type PeerCount int

// UnmarshalJSON implements json.Unmarshaler.
func (c *PeerCount) UnmarshalJSON(b []byte) error {
	const most = 65000 // requests are told apart by 16 bits
	var n int
	if err := json.Unmarshal(b, &n); err != nil {
		return fmt.Errorf("want a number: %w", err)
	}
	if n < 1 || n > most {
		return fmt.Errorf("%d is not from 1 to %d", n, most)
	}
	*c = PeerCount(n)
	return nil
}

// Require says whose answer a pod must have.
type Require string

const (
	RequireNone Require = "none" // nobody's
	RequireAny  Require = "any"  // that of one peer
	RequireAll  Require = "all"  // that of all
)

// UnmarshalJSON accepts none, any and all.
func (r *Require) UnmarshalJSON(b []byte) error {
	word, err := oneOf(b, string(RequireNone), string(RequireAny), string(RequireAll))
	if err == nil {
		*r = Require(word)
	}
	return err
}
