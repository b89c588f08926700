// SPDX-License-Identifier: Apache-2.0

package tunnel_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// Whatever the kernel says, nothing of the node's own is a peer, and each peer
// has something to be known by.
func FuzzEnumerate(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.txtar")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		fake, err := netstate.Parse(afterHeader(text))
		if err != nil {
			return
		}
		d, err := fake.TunnelDump()
		if err != nil {
			return
		}
		table := tunnel.Enumerate(d)
		own := ownOf(d)
		for _, p := range table.Peers {
			for _, block := range append([]netip.Prefix{p.Block}, p.More...) {
				if own[block] {
					t.Errorf("%s is the node's own, and yet %s", block, peerText(p))
				}
			}
			if p.Device == "" || !p.Block.IsValid() || !p.Probed.IsValid() && !p.Guessed || len(p.Also) > 3 || own[netip.PrefixFrom(p.Probed, p.Probed.BitLen())] && !p.Guessed {
				t.Errorf("no peer to ask: %s", peerText(p))
			}
		}
		for _, dup := range table.Duplicates {
			if len(dup.Who) < 2 {
				t.Errorf("%+v is no dispute", dup)
			}
		}
	})
}

// ownOf gives what no peer may have: blackholes, and own addresses.
func ownOf(d netstate.TunnelDump) map[netip.Prefix]bool {
	own := map[netip.Prefix]bool{}
	for _, p := range d.Own {
		own[p.Masked()] = true
	}
	for _, l := range d.Links {
		for _, a := range l.Addrs {
			own[netip.PrefixFrom(a.Addr(), a.Addr().BitLen())] = true
		}
	}
	return own
}

// afterHeader gives the node section of a fixture, or the text as it is.
func afterHeader(text string) string {
	const begin, end = "-- node --\n", "-- want --\n"
	for i := 0; i+len(begin) <= len(text); i++ {
		if text[i:i+len(begin)] != begin {
			continue
		}
		rest := text[i+len(begin):]
		for j := 0; j+len(end) <= len(rest); j++ {
			if rest[j:j+len(end)] == end {
				return rest[:j]
			}
		}
		return rest
	}
	return text
}
