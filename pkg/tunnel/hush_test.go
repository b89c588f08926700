// SPDX-License-Identifier: Apache-2.0

package tunnel_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// A loop that can send nothing, or not list whom to send to, must not keep ADDs
// from doing it, and takes nothing back of what others learned.
func TestKeepTroubleHushesNobody(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		dump error
	}{
		"no socket": {overlay(2, 0) + "fail ListenICMP = operation not permitted", nil},
		"no dump":   {overlay(2, 0), errors.New("no buffer space")},
	} {
		t.Run(name, fakeTime(func(t *testing.T) {
			b := newBench(t, overlay(1, 0))
			b.Demands, b.Satisfied = "other", func(tunnel.Warmth) bool { return false }
			b.cost(t)
			w := keep(t, c.text)
			w.Memory, w.fail = b.Memory, c.dump
			w.Once(t.Context())
			for _, demands := range []string{"", "any", "all"} {
				if w.Memory.Quiet(tunnel.Topic([]string{"ipip"}, nil, demands), time.Now()) {
					t.Errorf("demands %q: it is quiet", demands)
				}
			}
			b.onNode(t, overlay(2, 0))
			b.Demands, b.Satisfied = "", nil
			if got, cost, err := b.cost(t); err != nil || got.Confirmed != 2 || cost != [2]int32{1, 1} {
				t.Errorf("%+v, error %v, cost %v; want the one that nobody asked", got, err, cost)
			}
		}))
	}
}

// A loop that runs in another namespace than the plugin has other peers, and cannot
// speak for those of the plugin. Before the first ADD nobody knows where that is.
func TestKeepElsewhereHushesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := keep(t, overlay(2, 0))
		topic := tunnel.Topic([]string{"ipip"}, nil, "")
		w.Once(t.Context())
		if w.Memory.Quiet(topic, time.Now()) {
			t.Error("it is quiet before the first ADD")
		}
		w.meetAdd(t)
		known, err := w.Memory.Load(time.Now())
		if err != nil {
			t.Fatal(err)
		}
		here := known.Netns
		for netns, quiet := range map[string]bool{"4:1": false, here: true} {
			known.Netns = netns
			if err := errors.Join(w.Memory.Save(known), w.Memory.Wake(topic)); err != nil {
				t.Fatal(err)
			}
			w.Once(t.Context())
			if w.Memory.Quiet(topic, time.Now()) != quiet {
				t.Errorf("the plugin in namespace %s: quiet is %v", netns, !quiet)
			}
		}
	})
}

// Nor does a loop that knew its peers once, and cannot list them any more.
func TestKeepBlindHushesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := keep(t, overlay(1, 0))
		w.meetAdd(t)
		topic := tunnel.Topic([]string{"ipip"}, nil, "")
		for _, c := range []struct {
			fail  error
			quiet bool
		}{{nil, true}, {errors.New("no buffer space"), false}} {
			if err := w.Memory.Wake(topic); err != nil {
				t.Fatal(err)
			}
			w.fail = c.fail
			w.Once(t.Context())
			if w.Memory.Quiet(topic, time.Now()) != c.quiet {
				t.Errorf("with a dump that fails with %v quiet is %v", c.fail, !c.quiet)
			}
		}
	})
}
