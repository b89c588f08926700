// SPDX-License-Identifier: Apache-2.0

package tunnels_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cni-guard/cni-guard/conformance/rig"
	"github.com/cni-guard/cni-guard/conformance/tunnels"
)

// The size of the cluster, and what decides who talks to whom.
const (
	nodes = 5
	pods  = 24
	seed  = 2
)

// forgets is when the firewalls have forgotten a tunnel in which nothing moved:
// net.netfilter.nf_conntrack_generic_timeout is 600 s, as it is in AWS.
const forgets = 605 * time.Second

// Shares of the rounds of a replay.
type shares struct {
	first  tunnels.Share // pods come up on nodes that are new
	later  tunnels.Share // the same pods, when nothing has moved for long
	second tunnels.Share // more pods come up, once more after long
}

func TestWithoutGuard(t *testing.T) {
	s := replay(t, false, nil)
	if s.first.Percent() >= 80 || s.later.Percent() >= 80 || s.second.Percent() >= 80 {
		t.Error("the incident does no harm; what is replayed is not it")
	}
}

func replay(t *testing.T, guarded bool, prepare func(*tunnels.Cluster)) shares {
	if os.Getenv("CNI_GUARD_KERNEL") != "vm" {
		t.Skip("needs a machine of its own with ipip, and its own time: make test-vm")
	}
	l, err := tunnels.NewLab(nodes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	f := tunnels.Folders{Reference: rig.RefDir(t), Work: t.TempDir()}
	c, err := tunnels.NewCluster(l, f, guarded, seed, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	if prepare != nil {
		prepare(c)
	}
	var s shares
	if s.first, err = c.Deploy(t.Context(), pods); err != nil {
		t.Fatal(err)
	}
	time.Sleep(forgets)
	if s.later, err = c.Reconnect(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(forgets)
	if s.second, err = c.Deploy(t.Context(), pods); err != nil {
		t.Fatal(err)
	}
	t.Log(strings.Join([]string{fmt.Sprint(s.first), fmt.Sprint(s.later), fmt.Sprint(s.second)}, " | "))
	return s
}
