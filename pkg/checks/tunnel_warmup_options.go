// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"net/netip"
	"time"

	"github.com/cni-guard/cni-guard/pkg/guard"
)

// tunnelWarmupName is the name of the check, and of its place in the configuration.
const tunnelWarmupName = "tunnel-warmup"

// TunnelWarmupOptions say which tunnels ADD warms, and how long it may take.
type TunnelWarmupOptions struct {
	Wait     Duration     // how long ADD waits for answers at most
	Interval Duration     // how long a peer that answered counts as warm
	Kinds    []string     // IFLA_INFO_KIND of the links
	Peers    []netip.Addr // further addresses to warm
	Max      int          // peers per ADD; 0: no limit
	Require  string       // none, any or all
}

func defaultTunnelWarmupOptions() TunnelWarmupOptions {
	return TunnelWarmupOptions{Wait: Duration(200 * time.Millisecond), Interval: Duration(5 * time.Minute), Kinds: []string{"ipip"}, Require: "none"}
}

func (o *TunnelWarmupOptions) keys() map[string]any {
	return map[string]any{"wait": &o.Wait, "interval": &o.Interval, "kinds": &o.Kinds, "peers": &o.Peers, "max": &o.Max, "require": &o.Require}
}

// tunnelWarmupOptions documents the keys.
func tunnelWarmupOptions() []guard.Option { return nil }
