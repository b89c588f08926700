// SPDX-License-Identifier: Apache-2.0

package netstate_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// The fake does what the kernel does when lo comes up, whatever it had before.
func TestFakeAgreesOnLoopback(t *testing.T) {
	for name, c := range map[string]struct{ fake, setup string }{
		"new": {`
link lo index 1
sysctl net/ipv6/conf/lo/disable_ipv6 = 0
`, ``},
		"taken down": {`
link lo index 1
addr 127.0.0.1/8 dev lo
sysctl net/ipv6/conf/lo/disable_ipv6 = 0
`, `
ip -n agree link set lo up
ip -n agree link set lo down
`},
		"with another address": {`
link lo index 1
addr 10.9.9.9/32 dev lo
sysctl net/ipv6/conf/lo/disable_ipv6 = 0
`, `
ip -n agree address add 10.9.9.9/32 dev lo
`},
		"with another prefix length": {`
link lo index 1
addr 127.0.0.1/32 dev lo
sysctl net/ipv6/conf/lo/disable_ipv6 = 0
`, `
ip -n agree address add 127.0.0.1/32 dev lo
`},
		"with another IPv6 address": {`
link lo index 1
addr fd00::9/128 dev lo
sysctl net/ipv6/conf/lo/disable_ipv6 = 0
`, `
ip -n agree address add fd00::9/128 dev lo
`},
		"without IPv6": {`
link lo index 1
sysctl net/ipv6/conf/lo/disable_ipv6 = 1
`, `
ip netns exec agree sh -c "echo 1 >/proc/sys/net/ipv6/conf/lo/disable_ipv6"
`},
		"up and stripped": {`
link lo index 1 up
sysctl net/ipv6/conf/lo/disable_ipv6 = 0
`, `
ip -n agree link set lo up
ip -n agree address flush dev lo
`},
	} {
		t.Run(name, func(t *testing.T) {
			kernel := view(t, sandbox(t, "agree"))
			checktest.Shell(t, c.setup)
			fake, err := netstate.Parse(c.fake)
			must(t, err)
			if before, want := loopback(t, fake), loopback(t, kernel); !slices.Equal(before, want) {
				t.Fatalf("to begin with the fake has %v, the kernel %v", before, want)
			}
			must(t, fake.SetUp("lo"))
			must(t, kernel.SetUp("lo"))
			if got, want := loopback(t, fake), loopback(t, kernel); !slices.Equal(got, want) {
				t.Errorf("then the fake has %v, the kernel %v", got, want)
			}
		})
	}
}

func loopback(t *testing.T, v netstate.View) []netip.Prefix {
	t.Helper()
	addrs, err := v.Addrs("lo")
	must(t, err)
	slices.SortFunc(addrs, netip.Prefix.Compare)
	return addrs
}
