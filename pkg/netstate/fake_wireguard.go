// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// A fakePeer is a peer of a WireGuard device, as its statement has it.
type fakePeer struct {
	link     int
	endpoint netip.AddrPort
	allowed  []netip.Prefix
	age      time.Duration // of the last handshake when the Fake was made; negative: there was none
	shaken   time.Time     // when that was
	sent     uint64
	received uint64
	// What a dump of the kind alone has more: checks ask for that once they have pinged.
	sends, receives uint64
	shakes          bool // and whether there was a handshake by then
}

// dumpWireGuard adds the peers of the devices of a dump. again is whether the dump is one
// of the kind alone.
func (f *Fake) dumpWireGuard(d *TunnelDump, again bool) {
	for _, l := range d.Links {
		if l.Kind != "wireguard" {
			continue
		}
		w := WireGuard{Link: l.Index, Unread: f.wireGuardUnread, Mark: f.wireGuardMarks[l.Name]}
		for _, p := range f.wireGuardPeers {
			if p.link == l.Index && w.Unread == "" {
				w.Peers = append(w.Peers, p.peer(again))
			}
		}
		if len(w.Peers) == 0 && w.Unread == "" {
			w.Unread = "it takes CAP_NET_ADMIN" // the text says nothing of it
		}
		d.WireGuard = append(d.WireGuard, w)
	}
}

func (p fakePeer) peer(again bool) WireGuardPeer {
	out := WireGuardPeer{Endpoint: p.endpoint, Allowed: p.allowed, Sent: p.sent, Received: p.received}
	if p.age >= 0 {
		out.Handshake = p.shaken
	}
	if again {
		out.Sent, out.Received = out.Sent+p.sends, out.Received+p.receives
		if p.shakes {
			out.Handshake = time.Now()
		}
	}
	return out
}

// parseWireGuard reads "unread REASON" for all devices, "NAME mark N", or "NAME peer
// ADDR:PORT|none [allowed PREFIX,...] [handshake AGE] [sent N] [received N] [sends N]
// [receives N] [shakes]".
func (f *Fake) parseWireGuard(words []string) error {
	if len(words) < 2 {
		return fmt.Errorf("want unread REASON, NAME mark N, or NAME peer ADDR:PORT")
	}
	if words[0] == "unread" {
		f.wireGuardUnread = strings.Join(words[1:], " ")
		return nil
	}
	link, err := f.find(words[0])
	if err != nil {
		return err
	}
	p := fakePeer{link: link.Index, age: -1}
	rest := words[1:]
	if n := len(rest); rest[n-1] == "shakes" {
		p.shakes, rest = true, rest[:n-1]
	}
	peer := false
	for key, value := range pairs(rest, &err) {
		switch key {
		case "mark":
			var mark uint64
			mark, err = strconv.ParseUint(value, 10, 32)
			if f.wireGuardMarks == nil {
				f.wireGuardMarks = map[string]uint32{}
			}
			f.wireGuardMarks[link.Name] = uint32(mark)
		case "peer":
			if peer = true; value != "none" {
				p.endpoint, err = netip.ParseAddrPort(value)
			}
		case "allowed":
			for _, text := range strings.Split(value, ",") {
				var allowed netip.Prefix
				if allowed, err = netip.ParsePrefix(text); err != nil {
					break
				}
				p.allowed = append(p.allowed, allowed)
			}
		case "handshake":
			if p.age, err = time.ParseDuration(value); err == nil && p.age < 0 {
				err = fmt.Errorf("%s is in the future", value)
			}
			p.shaken = time.Now().Add(-p.age)
		case "sent":
			p.sent, err = strconv.ParseUint(value, 10, 64)
		case "received":
			p.received, err = strconv.ParseUint(value, 10, 64)
		case "sends":
			p.sends, err = strconv.ParseUint(value, 10, 64)
		case "receives":
			p.receives, err = strconv.ParseUint(value, 10, 64)
		default:
			err = fmt.Errorf("%s is no attribute of WireGuard", key)
		}
	}
	if err == nil && peer {
		f.wireGuardPeers = append(f.wireGuardPeers, p)
	}
	return err
}

// wireGuardText returns the statements of parseWireGuard.
func (f *Fake) wireGuardText() string {
	var b strings.Builder
	if f.wireGuardUnread != "" {
		fmt.Fprintf(&b, "wireguard unread %s\n", f.wireGuardUnread)
	}
	for _, l := range f.links {
		if mark, ok := f.wireGuardMarks[l.Name]; ok {
			fmt.Fprintf(&b, "wireguard %s mark %d\n", l.Name, mark)
		}
		for _, p := range f.wireGuardPeers {
			if p.link == l.Index {
				b.WriteString("wireguard " + l.Name + p.text() + "\n")
			}
		}
	}
	return b.String()
}

func (p fakePeer) text() string {
	var b strings.Builder
	endpoint := "none"
	if p.endpoint.IsValid() {
		endpoint = p.endpoint.String()
	}
	b.WriteString(" peer " + endpoint)
	for i, allowed := range p.allowed {
		separator := ","
		if i == 0 {
			separator = " allowed "
		}
		b.WriteString(separator + allowed.String())
	}
	if p.age >= 0 {
		fmt.Fprintf(&b, " handshake %s", p.age)
	}
	for _, n := range []struct {
		name  string
		value uint64
	}{{"sent", p.sent}, {"received", p.received}, {"sends", p.sends}, {"receives", p.receives}} {
		if n.value != 0 {
			fmt.Fprintf(&b, " %s %d", n.name, n.value)
		}
	}
	if p.shakes {
		b.WriteString(" shakes")
	}
	return b.String()
}
