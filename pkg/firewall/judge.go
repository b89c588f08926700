// SPDX-License-Identifier: Apache-2.0

package firewall

import "github.com/cni-guard/cni-guard/pkg/netstate"

// Rules are the rules of a node, ready to judge packets. They are not changed by that, so
// that several goroutines may use them.
type Rules struct {
	source *netstate.Ruleset
}

// Decode prepares a ruleset. What cannot be decoded is no error: verdicts that depend on it
// are CannotTell.
func Decode(r *netstate.Ruleset) *Rules { return &Rules{source: r} }

// Judge returns what the rules do to a packet.
func (r *Rules) Judge(p Packet) Verdict {
	return Verdict{Reason: "the rules are not decoded yet"}
}
