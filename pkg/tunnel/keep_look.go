// SPDX-License-Identifier: Apache-2.0

package tunnel

import (
	"maps"
	"net/netip"
	"slices"
	"time"
)

// look enumerates the peers again. Who is new is due at once, unless the memory
// says that somebody asked it already.
func (k *Keeper) look(now time.Time) {
	k.looked, k.lookAt = now, now.Add(LookAgain)
	dump, err := k.Dump()
	k.had("list the peers", err)
	if err != nil {
		return // those that are known are kept warm
	}
	k.tunnels = make(map[int]bool, len(dump.Links))
	for _, link := range dump.Links {
		k.tunnels[link.Index] = true
	}
	known, _ := k.Memory.Load(now)
	k.ours = known.of(ownNetns())
	for _, p := range k.peers {
		p.gone = true
	}
	var fresh []netip.Addr
	for _, peer := range askable(Select(Enumerate(dump), k.Kinds, others(k.Extra, dump, k.Local))) {
		p := k.peers[peer.Probed]
		if p == nil || !p.record.of(peer) { // another node has the address now
			p = &kept{record: known.Of(peer)}
			p.next = k.after(p.record, p.record)
			k.peers[peer.Probed] = p
			fresh = append(fresh, peer.Probed)
		}
		p.peer, p.gone = peer, false
	}
	k.report("peers appeared", fresh)
	var gone []netip.Addr
	for addr, p := range k.peers {
		if p.gone {
			gone = append(gone, addr)
		}
	}
	maps.DeleteFunc(k.peers, func(_ netip.Addr, p *kept) bool { return p.gone })
	k.report("peers are gone", gone)
	if len(k.peers) == 0 {
		k.had("ask all peers", nil)
	}
}

// report logs addresses, of many only the first.
func (k *Keeper) report(what string, addrs []netip.Addr) {
	const named = 10
	if len(addrs) == 0 {
		return
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	k.Log.Info(what, "count", len(addrs), "all", len(k.peers), "first", addrs[:min(len(addrs), named)])
}

// mayHush keeps routes that flap from having the others told each time.
func (k *Keeper) mayHush(now time.Time) bool { return now.Sub(k.hushed) >= hushGap }

// hush tells the plugin that all is seen to, for what it may be configured to want:
// all of our kinds, or one of them. It does so only if that is so, and if the plugin
// was here: a loop in another namespace has other peers.
func (k *Keeper) hush(now time.Time) {
	if !k.ours || k.trouble["list the peers"] != "" || k.trouble["ask all peers"] != "" {
		return
	}
	k.hushed = now
	wants := [][]string{k.Kinds}
	if len(k.Kinds) > 1 {
		for _, kind := range k.Kinds {
			wants = append(wants, []string{kind})
		}
	}
	for _, kinds := range wants {
		if err := k.hushFor(kinds, now); err != nil {
			k.had("tell the plugin that all is quiet", err)
			return
		}
	}
	k.had("tell the plugin that all is quiet", nil)
}

func (k *Keeper) hushFor(kinds []string, now time.Time) error {
	all, confirmed := 0, 0
	for _, p := range k.peers {
		extra := p.peer.Kind == ""
		if !extra && !slices.Contains(kinds, p.peer.Kind) {
			continue
		}
		if p.record.Asked.IsZero() {
			return nil
		}
		all++
		if p.record.Misses == 0 {
			confirmed++
		}
	}
	for _, demand := range []struct {
		name string
		met  bool
	}{{"", true}, {"any", all == 0 || confirmed > 0}, {"all", confirmed == all}} {
		topic := Topic(kinds, k.Extra, demand.name)
		var err error
		if demand.met {
			err = k.Memory.Hush(topic, now, now.Add(LookAgain))
		} else {
			err = k.Memory.Wake(topic)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
