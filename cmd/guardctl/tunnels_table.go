// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// A tunnelTable is what guardctl tunnels prints.
type tunnelTable struct {
	Peers         []tunnelRow       `json:"peers"`
	NotEnumerable []notEnumerableOf `json:"notEnumerable"`

	asked   bool              // just now
	trouble map[string]string // why some could not be asked, or not be remembered
	unread  error             // why nothing is known of what was asked before
}

// A tunnelRow is one peer.
type tunnelRow struct {
	Device string       `json:"device"` // "" for an address of --peers
	Kind   string       `json:"kind"`
	Block  string       `json:"block"` // the first of its blocks
	Outer  string       `json:"outer"`
	Probed string       `json:"probed"` // "" where no address is known that answers
	State  tunnel.State `json:"state"`
	RTT    *float64     `json:"rttMs"` // null without an answer
	// LastConfirmed is when it last answered; null where nothing is known of that.
	LastConfirmed *time.Time `json:"lastConfirmed"`

	more int // further blocks
	why  string
}

type notEnumerableOf struct {
	Device string `json:"device"`
	Reason string `json:"reason"`
}

// rowOf gives the row of a peer: what came of asking it, or else what is known.
func rowOf(p tunnel.Peer, known tunnel.Record, asked []tunnel.Answer) tunnelRow {
	row := tunnelRow{
		Device: p.Device, Kind: p.Kind, Outer: textOf(p.Outer), Probed: textOf(p.Probed),
		State: known.State, why: because(known.State, known.Why, known.By), more: len(p.More),
	}
	if p.Block.IsValid() {
		row.Block = p.Block.String()
	}
	rtt, confirmed := known.RTT, known.Confirmed
	at := slices.IndexFunc(asked, func(a tunnel.Answer) bool { return p.Probed.IsValid() && a.Peer.Probed == p.Probed })
	if at >= 0 {
		a := asked[at]
		row.State, row.why, rtt = a.State, because(a.State, a.Why, a.By), a.RTT
		if a.State.Confirms() && confirmed.IsZero() {
			confirmed = time.Now() // where nothing could be written down
		}
	}
	if row.State.Confirms() && rtt > 0 {
		ms := float64(rtt.Microseconds()) / 1000
		row.RTT = &ms
	}
	if !confirmed.IsZero() {
		confirmed = confirmed.Truncate(time.Second).UTC()
		row.LastConfirmed = &confirmed
	}
	return row
}

// because gives what people want to know beside the state.
func because(state tunnel.State, why string, by netip.Addr) string {
	if why != "" && by.IsValid() && !state.Confirms() {
		return why + ", says " + by.String()
	}
	return why
}

func textOf(addr netip.Addr) string {
	if !addr.IsValid() {
		return ""
	}
	return addr.String()
}

// counts says how many are in which state: "8 answered, 1 silent".
func (t tunnelTable) counts() string {
	n := map[tunnel.State]int{}
	for _, p := range t.Peers {
		n[p.State]++
	}
	text := ""
	for state := tunnel.Answered; state <= tunnel.Unreachable; state++ {
		text = appendCount(text, n[state], state.String())
	}
	text = appendCount(text, n[tunnel.Unprobed], tunnel.Unprobed.String())
	if text == "" {
		return "no peers: no route leads to another node over a tunnel of the kinds that were looked at"
	}
	return text
}

func appendCount(text string, n int, word string) string {
	if n == 0 {
		return text
	}
	if text != "" {
		text += ", "
	}
	return text + fmt.Sprintf("%d %s", n, word)
}
