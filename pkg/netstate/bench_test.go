// SPDX-License-Identifier: Apache-2.0

package netstate_test

import (
	"fmt"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

func BenchmarkOpenNetns(b *testing.B) {
	pin := checktest.Sandbox(b, "bench")
	for b.Loop() {
		n := netstate.OpenNetns(pin)
		if n.Kind != netstate.Sandbox {
			b.Fatal(n.Kind)
		}
		_ = n.Close()
	}
}

func BenchmarkCookie(b *testing.B) {
	n := sandbox(b, "bench")
	for b.Loop() {
		_, err := n.Cookie()
		must(b, err)
	}
}

// What a check of the pod path asks for. The cost must not grow with the
// addresses of the namespace.
func BenchmarkView(b *testing.B) {
	for _, others := range []int{0, 1000} {
		b.Run(fmt.Sprintf("others=%d", others), func(b *testing.B) {
			n := sandbox(b, "bench")
			crowd(b, "bench", others)
			for b.Loop() {
				v, err := n.View()
				must(b, err)
				_, err = v.Link("lo")
				must(b, err)
				_, err = v.Addrs("lo")
				must(b, err)
				v.Close()
			}
		})
	}
}

func BenchmarkEnter(b *testing.B) {
	n := sandbox(b, "bench")
	for b.Loop() {
		must(b, n.Enter(func() error { return nil }))
	}
}
