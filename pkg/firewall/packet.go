// SPDX-License-Identifier: Apache-2.0

// Package firewall says what the packet filter of a node would do to given packets. It
// judges the rules that netstate.View.Ruleset has read, of nf_tables and of
// iptables-legacy, and makes sound claims only: what it cannot decode, or what depends on
// state that is not in the rules, ends in "cannot tell".
package firewall

import (
	"fmt"
	"net/netip"
)

// A Hook is the way of a packet through the node.
type Hook int

// The ways of a packet. Each includes the hooks that it passes: Input is prerouting and
// input, Forward is prerouting, forward and postrouting, Output is output and postrouting.
const (
	Input Hook = iota + 1
	Forward
	Output
)

// String returns the name of the main hook: "input".
func (h Hook) String() string {
	return [...]string{"", "input", "forward", "output"}[h]
}

// A State is a state of connection tracking (ct state).
type State uint32

// The states, with the bits that nf_tables has for them.
const (
	Invalid     State = 1 << 0
	Established State = 1 << 1
	Related     State = 1 << 2
	New         State = 1 << 3
	Untracked   State = 1 << 6
)

// String returns the name of a state.
func (s State) String() string {
	names := map[State]string{Invalid: "invalid", Established: "established", Related: "related", New: "new", Untracked: "untracked"}
	if name, ok := names[s]; ok {
		return name
	}
	return fmt.Sprintf("state %d", uint32(s))
}

// An Interface is where a packet enters or leaves. The zero Interface is not known.
type Interface struct {
	Name  string `json:"name"`
	Index int    `json:"index,omitempty"` // 0: not known
}

// A Packet is a packet, or all packets that have in common what is set. What is not set
// may be anything, and a verdict holds for all of them.
type Packet struct {
	Hook    Hook      `json:"hook"`
	Six     bool      `json:"six,omitempty"`
	In, Out Interface // In is not used for Output, nor Out for Input
	// Src and Dst are the range of the addresses; the zero Prefix is any. The address is
	// one of the node where the hook says so.
	Src, Dst netip.Prefix
	Protocol uint8 `json:"protocol,omitempty"` // of IP: 4, 6 TCP, 17 UDP; 0: any
	// SrcPort and DstPort are those of TCP and UDP; 0: any. ICMP has its type in Type.
	SrcPort, DstPort uint16
	Type             *uint8 `json:"type,omitempty"` // of ICMP and ICMPv6; nil: any
	// Mark is the mark that the packet has when it comes to the first hook; nil: any.
	Mark   *uint32 `json:"mark,omitempty"`
	States []State `json:"states"` // each is judged; none: New
}

// A Result is what happens to a packet.
type Result int

// The results.
const (
	CannotTell Result = iota
	Accepted
	Dropped
)

// String returns the name of a result.
func (r Result) String() string {
	return [...]string{"cannot tell", "accepted", "dropped"}[r]
}

// A Verdict is what the rules do to a packet. The zero Verdict is CannotTell.
type Verdict struct {
	Result Result
	// Rule is the one that drops the packet, whatever the rules before it do; nil if none
	// surely does.
	Rule *Rule
	// Alone says that no other rule may drop it, so that the packet would pass if the base
	// chain of Rule accepted it.
	Alone bool
	// Reason says why nothing can be said, as a clause.
	Reason string
}

// A Rule is a rule as it is quoted, or the policy of a chain.
type Rule struct {
	Backend string // "nf_tables", "iptables-nft" or "iptables-legacy"
	Family  string // "ip", "ip6" or "inet"
	Table   string
	Base    string // the base chain that led there
	Chain   string
	Number  int    // 1 for the first of its chain; 0: it is the policy
	Handle  uint64 // of nf_tables; 0: none
	Text    string // as nft or iptables-save prints it, or "policy DROP"
	Rejects bool   // the sender is informed
	Owner   string // who made it: "firewalld", "ufw", "Docker"; "": not known
	// Beside says that it is of iptables-legacy, and iptables-nft has rules as well: a
	// leftover, most often.
	Beside bool
}

// String quotes the rule with its place.
func (r *Rule) String() string {
	place := fmt.Sprintf("table %s %s of %s, chain %s", r.Family, r.Table, r.Backend, r.Chain)
	if r.Number == 0 {
		return place + ": " + r.Text
	}
	return fmt.Sprintf("%s, rule %d: %s", place, r.Number, r.Text)
}
