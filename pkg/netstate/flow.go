// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"errors"
	"net/netip"
)

// A Flow is an entry of connection tracking for a protocol without ports: the
// generic tracker keys it by addresses and protocol alone, and forgets it after
// net.netfilter.nf_conntrack_generic_timeout (600 s) without a packet.
type Flow struct {
	Protocol uint8
	Src, Dst netip.Addr // of the first packet
	// Replied: a packet came the other way (IPS_SEEN_REPLY); conntrack -L prints
	// [UNREPLIED] where none did.
	Replied bool
}

// ErrNoConntrack says that the kernel has no connection tracking to ask
// (ctnetlink), so that nothing is known of flows.
var ErrNoConntrack = errors.New("the kernel has no ctnetlink")
