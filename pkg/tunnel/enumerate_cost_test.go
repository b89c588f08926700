// SPDX-License-Identifier: Apache-2.0

package tunnel_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// nodes gives the dump of a node of a large cluster, in the shape of a network.
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
