// SPDX-License-Identifier: Apache-2.0

package tunnel_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// taken has other nodes behind the blocks of an overlay.
func taken(text string) string { return strings.ReplaceAll(text, "via 198.18.", "via 198.19.") }

// What is known of a node counts for nothing when another has its block.
func TestWarmTakeover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, overlay(2, 0))
		b.cost(t)
		b.onNode(t, taken(overlay(2, 0)))
		for i, want := range [][2]int32{{1, 2}, {1, 0}} {
			time.Sleep(tunnel.LookAgain)
			if w, cost, err := b.cost(t); err != nil || w.Confirmed != 2 || cost != want {
				t.Errorf("look %d: %+v, error %v, cost %v, want %v", i+1, w, err, cost, want)
			}
		}
	})
}

func TestKeepTakeover(t *testing.T) {
	for name, between := range map[string]string{
		"in one step": "",
		"in two":      "link flannel.ipip index 9 kind ipip up local 192.0.2.1\nroute 10.9.9.0/24 via 198.18.9.9 dev flannel.ipip onlink\nanswers 10.9.9.0\n",
	} {
		t.Run(name, fakeTime(func(t *testing.T) {
			w := keep(t, overlay(1, 0))
			w.run(t)
			w.expect(t, "10.1.0.0")
			if between != "" {
				w.set(t, between, onTunnel())
				w.expect(t, "10.9.9.0")
			}
			w.set(t, taken(overlay(1, 0)), onTunnel())
			w.expect(t, "10.1.0.0")
		}))
	}
}
