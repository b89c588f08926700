// SPDX-License-Identifier: Apache-2.0

package tunnels

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/cni-guard/cni-guard/cmd/internal/cli"
	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/printable"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// A table is what guardctl tunnels prints.
type table struct {
	Peers         []row          `json:"peers"`
	NotEnumerable []opaqueDevice `json:"notEnumerable"`

	probed    bool              // just now
	errors    map[string]string // of Keeper.Errors
	loadError error             // why the results of earlier probes are unknown
}

// A row is one peer.
type row struct {
	Device string       `json:"device"` // "" for an address of --peers
	Kind   string       `json:"kind"`
	Block  string       `json:"block"` // the first of its blocks
	Outer  string       `json:"outer"`
	Probed string       `json:"probed"` // "" if no address is known that answers
	State  tunnel.State `json:"state"`
	RTT    *float64     `json:"rttMs"` // null without an answer
	// LastConfirmed is when it last answered; null if that is unknown.
	LastConfirmed *time.Time `json:"lastConfirmed"`

	moreBlocks int
	reason     string
}

// An opaqueDevice is a device whose peers the kernel's tables do not show.
type opaqueDevice struct {
	Device string `json:"device"`
	Reason string `json:"reason"`
}

// newRow returns the row of a peer: the result of probing it now, or else its state.
func newRow(p tunnel.Peer, state tunnel.PeerState, results []tunnel.ProbeResult) row {
	r := row{
		Device: p.Device, Kind: p.Kind, Outer: addrText(p.Outer), Probed: addrText(p.Probed),
		State: state.State, reason: reasonText(state.State, state.Reason, state.By), moreBlocks: len(p.More),
	}
	if p.Block.IsValid() {
		r.Block = p.Block.String()
	}
	rtt, answered := state.RTT, state.LastAnswer
	at := slices.IndexFunc(results, func(r tunnel.ProbeResult) bool { return p.Probed.IsValid() && r.Peer.Probed == p.Probed })
	if at >= 0 {
		result := results[at]
		r.State, r.reason, rtt = result.State, reasonText(result.State, result.Reason, result.By), result.RTT
		if result.State.Confirms() && answered.IsZero() {
			answered = time.Now() // it could not be stored
		}
	}
	if r.State.Confirms() && rtt > 0 {
		ms := float64(rtt.Microseconds()) / 1000
		r.RTT = &ms
	}
	if !answered.IsZero() {
		answered = answered.Truncate(time.Second).UTC()
		r.LastConfirmed = &answered
	}
	return r
}

// reasonText returns the reason of a state, with who reported it.
func reasonText(state tunnel.State, reason string, by netip.Addr) string {
	if reason != "" && by.IsValid() && !state.Confirms() {
		return reason + ", says " + by.String()
	}
	return reason
}

func addrText(addr netip.Addr) string {
	if !addr.IsValid() {
		return ""
	}
	return addr.String()
}

// opaqueDevices returns the devices of some kinds.
func opaqueDevices(t tunnel.Table, links []netstate.TunnelLink, kinds []string) []opaqueDevice {
	shown := make(map[string]bool, len(links))
	for _, link := range links {
		shown[link.Name] = slices.Contains(kinds, link.Kind)
	}
	list := []opaqueDevice{} // never null in JSON
	for _, u := range t.NotEnumerable {
		if shown[u.Device] {
			list = append(list, opaqueDevice{u.Device, u.Reason})
		}
	}
	return list
}

// setLoadError records why the results of earlier probes are unknown. That there are none
// is no error.
func (t *table) setLoadError(err error) {
	if !errors.Is(err, fs.ErrNotExist) {
		t.loadError = err
	}
}

func (t table) write(w io.Writer, output *cli.Format) error {
	if output.JSON() {
		if t.Peers == nil {
			t.Peers = []row{} // never null
		}
		return cli.PrintJSON(w, t)
	}
	_, err := io.WriteString(w, t.text())
	return err
}

// text returns the table for people.
func (t table) text() string {
	var b strings.Builder
	if len(t.Peers) > 0 {
		rows := cli.NewTable("DEVICE", "KIND", "BLOCK", "OUTER", "PROBED", "STATE", "RTT", "LAST CONFIRMED")
		for _, r := range t.Peers {
			block, rtt, confirmed := r.Block, "", ""
			if r.moreBlocks > 0 {
				block = fmt.Sprintf("%s +%d", r.Block, r.moreBlocks)
			}
			if r.RTT != nil {
				rtt = fmt.Sprintf("%.2f ms", *r.RTT)
			}
			if r.LastConfirmed != nil {
				confirmed = r.LastConfirmed.Format(time.RFC3339)
			}
			rows.Row(r.Device, r.Kind, block, r.Outer, r.Probed, r.State.String(), rtt, confirmed, r.reason)
		}
		b.WriteString(rows.String())
	}
	printable.Fprintln(&b, t.counts())
	for _, d := range t.NotEnumerable {
		printable.Fprintf(&b, "%s: its peers cannot be listed: %s\n", d.Device, d.Reason)
	}
	if t.loadError != nil {
		printable.Fprintln(&b, "the results of earlier probes are unknown:", t.loadError)
	}
	if reason := t.errors[tunnel.OpStore]; reason != "" {
		printable.Fprintf(&b, "cannot %s: %s\n", tunnel.OpStore, reason)
	}
	return b.String()
}

// counts returns how many peers are in which state: "8 answered, 1 silent".
func (t table) counts() string {
	n := map[tunnel.State]int{}
	for _, p := range t.Peers {
		n[p.State]++
	}
	var counts []string
	for _, state := range []tunnel.State{tunnel.Answered, tunnel.Retried, tunnel.Silent, tunnel.Unreachable, tunnel.Unprobed} {
		if n[state] > 0 {
			counts = append(counts, fmt.Sprintf("%d %s", n[state], state))
		}
	}
	if len(counts) == 0 {
		return "no peers: no route leads to another node over a tunnel of these kinds"
	}
	return strings.Join(counts, ", ")
}

// withoutTimes returns the table without what differs each time.
func (t table) withoutTimes() table {
	rows := make([]row, len(t.Peers))
	for i, r := range t.Peers {
		r.RTT, r.LastConfirmed = nil, nil
		rows[i] = r
	}
	t.Peers = rows
	return t
}

// exit returns the exit code: a peer that was probed and did not answer the first ping is
// a finding.
func (t table) exit() error {
	for _, op := range []string{tunnel.OpList, tunnel.OpProbe} {
		if reason := t.errors[op]; reason != "" {
			return cli.Unknown(errors.New("cannot "+op+": "+reason), "it takes root, or CAP_NET_RAW")
		}
	}
	unprobed := 0
	for _, p := range t.Peers {
		switch {
		case p.State == tunnel.Unprobed && p.Probed != "":
			unprobed++
		case p.State != tunnel.Unprobed && p.State != tunnel.Answered:
			return cli.Exit(cli.ExitFindings)
		}
	}
	switch {
	case t.probed && unprobed > 0:
		return cli.Unknown(fmt.Errorf("probe %d of %d peers: there was no time", unprobed, len(t.Peers)), "run it again")
	case !t.probed && t.loadError != nil:
		return cli.Unknown(t.loadError, "run it as root, or with --probe, which pings the peers")
	}
	return nil
}

// exitWarm is exit for peers that are to be warm: one that cannot be pinged is not.
func (t table) exitWarm() error {
	if err := t.exit(); err != nil {
		return err
	}
	unknown := 0
	for _, p := range t.Peers {
		if p.Probed == "" {
			unknown++
		}
	}
	if unknown == 0 {
		return nil
	}
	return cli.Unknown(fmt.Errorf("warm %d of %d peers: no address is known that answers pings", unknown, len(t.Peers)), "pass their tunnel addresses with --peers")
}
