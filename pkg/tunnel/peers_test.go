// SPDX-License-Identifier: Apache-2.0

package tunnel_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// The shapes of the networks, one file each: what the node has, in the form of
// netstate.Parse, and what is to come of it.
func TestEnumerate(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) < 16 {
		t.Fatalf("%d shapes, error %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			node, want := shape(t, file)
			if got := tableText(tunnel.Enumerate(node)); got != want {
				t.Errorf("the table is\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func shape(t *testing.T, file string) (node netstate.TunnelDump, want string) {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(archive.Files) != 2 || archive.Files[0].Name != "node" || archive.Files[1].Name != "want" || len(archive.Comment) == 0 {
		t.Fatalf("%s: want a comment, node and want", file)
	}
	return dump(t, string(archive.Files[0].Data)), string(archive.Files[1].Data)
}

func dump(t testing.TB, text string) netstate.TunnelDump {
	t.Helper()
	fake, err := netstate.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	d, err := fake.TunnelDump()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// tableText prints a table for people, one entry a line.
func tableText(table tunnel.Table) string {
	var b strings.Builder
	for _, p := range table.Peers {
		b.WriteString(peerText(p) + "\n")
	}
	for _, n := range table.NotEnumerable {
		fmt.Fprintf(&b, "not enumerable %s: %s\n", n.Device, n.Reason)
	}
	for _, d := range table.Down {
		fmt.Fprintf(&b, "down %s: %s\n", d.Device, d.Needed)
	}
	for _, u := range table.Unallowed {
		fmt.Fprintf(&b, "unallowed %s: %s\n", u.Device, u.Block)
	}
	for _, d := range table.Duplicates {
		fmt.Fprintf(&b, "duplicate %s %s: %s\n", d.Device, d.What, strings.Join(d.Who, ", "))
	}
	return b.String()
}

func peerText(p tunnel.Peer) string {
	var b strings.Builder
	fmt.Fprintf(&b, "peer %s %s", p.Device, p.Kind)
	if p.Port != 0 {
		fmt.Fprintf(&b, ":%d", p.Port)
	}
	fmt.Fprintf(&b, " %s", p.Block)
	for _, block := range p.More {
		fmt.Fprintf(&b, " %s", block)
	}
	if p.Outer.IsValid() {
		fmt.Fprintf(&b, " outer %s probed %s", p.Outer, p.Probed)
	} else {
		fmt.Fprintf(&b, " outer unknown probed %s", p.Probed)
	}
	for _, addr := range p.Also {
		fmt.Fprintf(&b, " %s", addr)
	}
	if p.Guessed {
		b.WriteString(" guessed")
	}
	return b.String()
}

// nodes returns the dump of a node of a large cluster, in the shape of a network.
func nodes(shape string, peers int) netstate.TunnelDump {
	d := netstate.TunnelDump{}
	link := netstate.TunnelLink{Name: "tunl0", Index: 3, Kind: shape, Up: true, Addrs: []netip.Prefix{netip.MustParsePrefix("10.255.0.0/32")}}
	if shape != "per peer" {
		d.Links = append(d.Links, link)
	}
	for i := range peers {
		outer, base := address(172<<24|16<<20, i), address(10<<24, i<<8)
		route := netstate.TunnelRoute{Dst: netip.PrefixFrom(base, 24), Gateway: outer, Link: 3, Table: 254, Protocol: 80, Onlink: true}
		switch shape {
		case "vxlan":
			mac := netstate.MAC{2, 0, byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)}
			route.Gateway = base
			d.Neighbours = append(d.Neighbours, netstate.Neighbour{Link: 3, Addr: base, MAC: mac})
			d.FDB = append(d.FDB, netstate.FDBEntry{Link: 3, MAC: mac, Dst: outer})
		case "per peer":
			route.Gateway, route.Link, route.Onlink = netip.Addr{}, 10+i, false
			d.Links = append(d.Links, netstate.TunnelLink{Name: fmt.Sprintf("tun-%d", i), Index: 10 + i, Kind: "ipip", Up: true, Remote: outer})
		}
		d.Routes = append(d.Routes, route)
	}
	return d
}

func address(base, i int) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], uint32(base+i))
	return netip.AddrFrom4(b)
}

// rival gives a dump in which everybody claims the same MAC.
func rival(entries int) netstate.TunnelDump {
	d := nodes("vxlan", entries)
	for i := range entries {
		d.Neighbours[i].MAC, d.FDB[i].MAC = netstate.MAC{2}, netstate.MAC{2}
	}
	return d
}

// Ten times the peers are ten times the work.
func TestEnumerateIsLinear(t *testing.T) {
	for name, of := range map[string]func(int) netstate.TunnelDump{
		"ipip":     func(n int) netstate.TunnelDump { return nodes("ipip", n) },
		"vxlan":    func(n int) netstate.TunnelDump { return nodes("vxlan", n) },
		"per peer": func(n int) netstate.TunnelDump { return nodes("per peer", n) },
		"rivals":   rival,
	} {
		t.Run(name, func(t *testing.T) {
			few, many := tunnel.Steps(of(500)), tunnel.Steps(of(5000))
			if many > 11*few || few < 500 {
				t.Errorf("%d steps for 500 peers, %d for 5,000", few, many)
			}
			if got := len(tunnel.Enumerate(of(5000)).Peers); got != 5000 && name != "rivals" {
				t.Errorf("%d peers, want 5,000", got)
			}
		})
	}
}

func BenchmarkEnumerate(b *testing.B) {
	for _, shape := range []string{"ipip", "vxlan", "per peer"} {
		for _, peers := range []int{10, 1000, 5000} {
			b.Run(fmt.Sprintf("%s/peers=%d", shape, peers), func(b *testing.B) {
				d := nodes(shape, peers)
				b.ReportAllocs()
				for b.Loop() {
					if len(tunnel.Enumerate(d).Peers) != peers {
						b.Fatal("peers are missing")
					}
				}
			})
		}
	}
}

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

// ownOf returns what no peer may have: blackholes, and own addresses.
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

// afterHeader returns the node section of a fixture, or the text as it is.
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
