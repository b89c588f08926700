// SPDX-License-Identifier: Apache-2.0

package tunnels_test

import (
	"os"
	"testing"
	"time"

	"github.com/cni-guard/cni-guard/conformance/rigtest"
	"github.com/cni-guard/cni-guard/conformance/tunnels"
)

// The size of the cluster, and what decides which pod is where and talks to whom.
const (
	nodes = 5
	pods  = 24
	seed  = 2
)

// A way is a remedy for cold tunnels.
type way struct {
	name    string
	guarded bool // the plugin is in the chain
	before  func(testing.TB, *tunnels.Cluster)
	judge   func(testing.TB, *tunnels.Rounds)
}

func ways() []way {
	return []way{
		{name: "nothing", judge: someFail},
		{name: "one packet by hand, from every node to every other", before: poke, judge: onlyFirstRoundWorks},
		{name: "the check tunnel-warmup", guarded: true, judge: onlyFirstRoundWorks},
		{name: "the check and `guardctl tunnels warm --loop`", guarded: true, before: keepWarm, judge: allWork},
	}
}

func TestColdTunnels(t *testing.T) {
	if os.Getenv("CNI_GUARD_KERNEL") != "vm" {
		t.Skip("needs a machine of its own with ipip, and its own time: make test-vm")
	}
	var table tunnels.Table
	for _, w := range ways() {
		t.Run(w.name, func(t *testing.T) {
			c := newCluster(t, w.guarded)
			if w.before != nil {
				w.before(t, c)
			}
			rounds, err := c.Replay(t.Context(), pods)
			if err != nil {
				t.Fatal(err)
			}
			table.Add(w.name, rounds)
			w.judge(t, rounds)
		})
	}
	t.Logf("%d nodes, three times %d pods:\n\n%s", nodes, pods, table)
}

func newCluster(t *testing.T, guarded bool) *tunnels.Cluster {
	t.Helper()
	l, err := tunnels.NewNetwork(nodes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	f := tunnels.Dirs{Reference: rigtest.RefDir(t), Guard: rigtest.GuardDir(t), Work: t.TempDir()}
	c, err := tunnels.NewCluster(l, f, guarded, seed, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func poke(t testing.TB, c *tunnels.Cluster) {
	if err := c.Poke(); err != nil {
		t.Fatal(err)
	}
}

func keepWarm(t testing.TB, c *tunnels.Cluster) {
	if err := c.KeepWarm(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.StopWarm(); err != nil {
			t.Error(err)
		}
	})
	// Every node is up, and its service started, before there are pods.
	tunnels.Pass(5 * time.Second)
}

// The last round is left out: it has the tunnels that the one before opened.
func someFail(t testing.TB, r *tunnels.Rounds) {
	for _, s := range []tunnels.Share{r.First, r.Later, r.Second} {
		if s.Percent() >= 80 {
			t.Errorf("%s reached another node: the incident does little harm; is it what is replayed?", s)
		}
	}
}

func onlyFirstRoundWorks(t testing.TB, r *tunnels.Rounds) {
	if r.First.Percent() != 100 {
		t.Errorf("first round: %s, want all: every node had sent to every other", r.First)
	}
	if r.Later.Percent() >= 80 {
		t.Errorf("ten minutes later: %s; did the firewalls forget nothing?", r.Later)
	}
}

func allWork(t testing.TB, r *tunnels.Rounds) {
	for _, s := range r.All() {
		if s.Percent() != 100 {
			t.Errorf("%s reached another node, want all", s)
		}
	}
}
