// SPDX-License-Identifier: Apache-2.0

package netstate_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// A node in the words of the fake, and of ip.
const (
	lookupFake = `
link lo index 1 up
addr 127.0.0.1/8 dev lo
addr ::1/128 dev lo
link eth0 index 2 up
addr 192.168.7.2/24 dev eth0
addr 10.244.1.1/24 dev eth0
addr fd00:7::2/64 dev eth0
route default via 192.168.7.1 dev eth0
route default via fd00:7::1 dev eth0
route 10.9.0.0/16 via 192.168.7.9 dev eth0
route 10.9.9.0/24 dev eth0
`
	lookupSetup = `
ip -n lookup link set lo up
ip -n lookup link add eth0 type veth peer name peer0
ip -n lookup link set peer0 up
ip -n lookup link set eth0 up
ip -n lookup address add 192.168.7.2/24 dev eth0
ip -n lookup address add 10.244.1.1/24 dev eth0
ip -n lookup address add fd00:7::2/64 dev eth0 nodad
ip -n lookup route add default via 192.168.7.1
ip -n lookup route add default via fd00:7::1 dev eth0
ip -n lookup route add 10.9.0.0/16 via 192.168.7.9
ip -n lookup route add 10.9.9.0/24 dev eth0
`
)

func hop(v netstate.View, addr string) string {
	h, err := v.Lookup(netip.MustParseAddr(addr))
	switch {
	case errors.Is(err, fs.ErrNotExist) && strings.Contains(err.Error(), addr):
		return "no route"
	case err != nil:
		return err.Error()
	}
	return fmt.Sprintf("local %t, via %s", h.Local, h.Gateway)
}

// The kernel says what the fake says, and both say what is so.
func TestLookup(t *testing.T) {
	kernel := view(t, sandbox(t, "lookup"))
	checktest.Shell(t, lookupSetup)
	fake, err := netstate.Parse(lookupFake)
	must(t, err)
	for addr, want := range map[string]string{
		"127.0.0.1":      "local true, via invalid IP",
		"127.9.9.9":      "local true, via invalid IP",
		"::1":            "local true, via invalid IP",
		"192.168.7.2":    "local true, via invalid IP",
		"10.244.1.1":     "local true, via invalid IP",
		"fd00:7::2":      "local true, via invalid IP",
		"10.244.1.7":     "local false, via invalid IP",
		"fd00:7::3":      "local false, via invalid IP",
		"192.0.2.1":      "local false, via 192.168.7.1",
		"2001:db8::1":    "local false, via fd00:7::1",
		"10.9.1.1":       "local false, via 192.168.7.9",
		"10.9.9.1":       "local false, via invalid IP",
		"::ffff:1.2.3.4": "local false, via 192.168.7.1",
	} {
		if got := hop(kernel, addr); got != want {
			t.Errorf("the kernel's route to %s: %s, want %s", addr, got, want)
		}
		if got := hop(fake, addr); got != want {
			t.Errorf("the fake's route to %s: %s, want %s", addr, got, want)
		}
	}
}

// No route is an answer, and no trouble.
func TestLookupWithoutRoute(t *testing.T) {
	kernel := view(t, sandbox(t, "noroute"))
	checktest.Shell(t, `
ip -n noroute link set lo up
ip -n noroute route add unreachable 10.1.0.0/16
ip -n noroute route add prohibit 10.2.0.0/16
ip -n noroute route add blackhole 10.3.0.0/16
ip -n noroute route add blackhole fd00:3::/64
ip -n noroute route add unreachable fd00:4::/64
`)
	fake, err := netstate.Parse("link lo index 1 up\naddr 127.0.0.1/8 dev lo\n")
	must(t, err)
	for _, addr := range []string{"192.0.2.1", "2001:db8::1", "10.1.0.1", "10.2.0.1", "10.3.0.1", "fd00:3::1", "fd00:4::1"} {
		if got := hop(kernel, addr); got != "no route" {
			t.Errorf("the kernel's route to %s: %s", addr, got)
		}
		if got := hop(fake, addr); got != "no route" {
			t.Errorf("the fake's route to %s: %s", addr, got)
		}
	}
	if _, err := kernel.Lookup(netip.Addr{}); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without an address: %v", err)
	}
}

// The cost must not grow with the addresses and routes of the node.
func BenchmarkLookup(b *testing.B) {
	for _, others := range []int{0, 1000} {
		b.Run(fmt.Sprintf("others=%d", others), func(b *testing.B) {
			n := sandbox(b, "bench")
			crowd(b, "bench", others)
			v, err := n.View()
			must(b, err)
			defer v.Close()
			for b.Loop() {
				if h, err := v.Lookup(netip.MustParseAddr("127.0.0.1")); err != nil || !h.Local {
					b.Fatal(h, err)
				}
			}
		})
	}
}
