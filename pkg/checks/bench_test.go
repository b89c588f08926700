// SPDX-License-Identifier: Apache-2.0

package checks_test

import (
	"context"
	"net/netip"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// What the engine and the checks cost where the kernel costs nothing.
func BenchmarkRun(b *testing.B) {
	view, err := netstate.Parse(`
link lo index 1 up
addr 127.0.0.1/8 dev lo
link eth0 index 2 kind veth mac 0a:58:0a:f4:01:07 up
addr 10.244.1.7/24 dev eth0
`)
	if err != nil {
		b.Fatal(err)
	}
	node, err := netstate.Parse("link lo index 1 up\naddr 127.0.0.1/8 dev lo\n")
	if err != nil {
		b.Fatal(err)
	}
	target := &checks.Target{
		IfName:   "eth0",
		Netns:    &netstate.Netns{Path: "/run/netns/pod", Kind: netstate.Sandbox},
		Pod:      view,
		Node:     node,
		Want:     checks.Interface{MAC: "0a:58:0a:f4:01:07", Addrs: []netip.Prefix{netip.MustParsePrefix("10.244.1.7/24")}},
		Recorded: 7,
		Cookie:   func() (uint64, error) { return 7, nil },
	}
	suite := checks.Suite()
	for _, stage := range []guard.Stage{guard.Add, guard.Del, guard.Verify, guard.Status} {
		b.Run("stage="+stage.String(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if r := guard.Run(context.Background(), suite, stage, guard.Settings{}, target); r.Refusal() != nil || len(r.Noteworthy()) > 0 {
					b.Fatal(r)
				}
			}
		})
	}
}
