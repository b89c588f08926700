// SPDX-License-Identifier: Apache-2.0

package netstate_test

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

func watch(t *testing.T, v *netstate.Live) (<-chan netstate.RouteChange, context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	changes, err := v.WatchRoutes(ctx)
	must(t, err)
	return changes, cancel
}

// changeText prints a change of a route, its device left out.
func changeText(c netstate.RouteChange) string {
	if c.Resync {
		return "resync"
	}
	return fmt.Sprintf("%v via %v gone %t", c.Route.Dst, c.Route.Gateway, c.Gone)
}

// expect reads until the changes wanted have come, in their order, whatever else
// the kernel reports between them.
func expect(t *testing.T, changes <-chan netstate.RouteChange, want ...string) {
	t.Helper()
	var seen []string
	for _, w := range want {
		for {
			c, ok := <-changes
			if !ok {
				t.Fatalf("the watch ended before %q; there were %q", w, seen)
			}
			seen = append(seen, changeText(c))
			if seen[len(seen)-1] == w {
				break
			}
		}
	}
}

func TestWatchRoutes(t *testing.T) {
	v := view(t, sandbox(t, "watch"))
	changes, cancel := watch(t, v)
	checktest.Shell(t, `
ip -n watch link add vx0 type vxlan id 1 dstport 8472
ip -n watch link set vx0 up addrgenmode none
ip -n watch address add 10.245.0.9/24 dev vx0
ip -n watch route add 10.244.2.0/24 via 10.244.2.0 dev vx0 onlink proto 80
ip -n watch route add 10.244.3.0/24 dev vx0 table 77
ip -n watch route add blackhole 10.244.1.0/24
ip -n watch route replace 10.244.2.0/24 via 10.244.2.3 dev vx0 onlink proto 80
ip -n watch route delete 10.244.2.0/24
ip -n watch route add fd00:10:244:2::/64 via fd00:10:244:2:: dev vx0 onlink
ip -n watch route add 10.244.4.0/24 nexthop via 10.245.0.1 dev vx0 nexthop via 10.245.0.2 dev vx0
`)
	expect(t, changes,
		"10.244.2.0/24 via 10.244.2.0 gone false",
		"10.244.3.0/24 via invalid IP gone false",
		"10.244.2.0/24 via 10.244.2.3 gone false",
		"10.244.2.0/24 via 10.244.2.3 gone true",
		"fd00:10:244:2::/64 via fd00:10:244:2:: gone false",
		"10.244.4.0/24 via 10.245.0.1 gone false",
		"10.244.4.0/24 via 10.245.0.2 gone false")
	cancel()
	for range changes { // it ends
	}
}

// A flood that nobody reads is not kept, and not passed over in silence. What
// comes after the resync is reported again.
func TestWatchRoutesFlood(t *testing.T) {
	v := view(t, sandbox(t, "flood"))
	checktest.Shell(t, "ip -n flood link add vx0 type vxlan id 1 dstport 8472; ip -n flood link set vx0 up addrgenmode none")
	changes, _ := watch(t, v)
	flap(t, "flood", 40_000)
	for c := range changes {
		if c.Resync {
			break
		}
	}
	goesOn(t, "flood", changes)
}

// When the kernel has no more room (ENOBUFS) the watch says so and goes on. Changes
// are read at once, so that the backlog never fills.
func TestWatchRoutesWithoutRoom(t *testing.T) {
	v := view(t, sandbox(t, "narrow"))
	checktest.Shell(t, "ip -n narrow link add vx0 type vxlan id 1 dstport 8472; ip -n narrow link set vx0 up addrgenmode none")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	changes, err := v.WatchRoutesNarrowly(ctx)
	must(t, err)
	resynced := make(chan error, 1)
	go func() {
		for c := range changes {
			if c.Resync {
				resynced <- nil
				return
			}
		}
		resynced <- errors.New("the watch ended")
	}()
	for len(resynced) == 0 { // a reader that is fast enough gets all of a flood
		flap(t, "narrow", 10_000)
	}
	must(t, <-resynced)
	goesOn(t, "narrow", changes)
}

// goesOn adds routes until the watch reports one. What is left of a flood may still
// fill the channel, so that a resync stands for the route; it comes to an end, however
// long that takes.
func goesOn(t *testing.T, in string, changes <-chan netstate.RouteChange) {
	t.Helper()
	for i := 0; ; i++ {
		for len(changes) > 0 {
			<-changes
		}
		dst := fmt.Sprintf("172.%d.%d.0/24", 16+i/250, i%250)
		checktest.Shell(t, "ip -n "+in+" route add "+dst+" dev vx0")
		for resync := false; !resync; {
			c, ok := <-changes
			if !ok {
				t.Fatal("the watch ended")
			}
			if c.Route.Dst.String() == dst && !c.Gone {
				return
			}
			resync = c.Resync
		}
	}
}

// flap adds and deletes routes.
func flap(t *testing.T, in string, changes int) {
	t.Helper()
	var batch strings.Builder
	for i := range changes / 2 {
		fmt.Fprintf(&batch, "route add 10.%d.%d.0/24 dev vx0\n", 100+i/250%100, i%250)
		fmt.Fprintf(&batch, "route delete 10.%d.%d.0/24 dev vx0\n", 100+i/250%100, i%250)
	}
	cmd := exec.Command("ip", "-n", in, "-batch", "-")
	cmd.Stdin = strings.NewReader(batch.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("flap: %v: %s", err, out)
	}
}
