// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// LoopbackDown sets the node's lo down that many times and returns how long it was down
// each time, in order of length. The kernel's events give both moments. It fails the test if
// lo stays down.
func (n *Node) LoopbackDown(times int) []time.Duration {
	n.t.Helper()
	ns, err := netns.GetFromPath(n.Netns())
	if err != nil {
		n.t.Fatal(err)
	}
	defer ns.Close()
	handle, err := netlink.NewHandleAt(ns, unix.NETLINK_ROUTE)
	if err != nil {
		n.t.Fatal(err)
	}
	defer handle.Close()
	lo, err := handle.LinkByName("lo")
	if err != nil {
		n.t.Fatal(err)
	}
	updates, done := make(chan netlink.LinkUpdate, 100), make(chan struct{})
	defer close(done)
	if err := netlink.LinkSubscribeAt(ns, updates, done); err != nil {
		n.t.Fatal(err)
	}
	// await returns the time at which the kernel said that lo is up, or down.
	await := func(up bool) time.Time {
		deadline := time.After(patience)
		for {
			select {
			case u := <-updates:
				if u.Link.Attrs().Name == "lo" && u.Link.Attrs().Flags&net.FlagUp != 0 == up {
					return time.Now()
				}
			case <-deadline:
				n.t.Fatalf("lo of %s is not %s after %s", n.Name, map[bool]string{true: "up", false: "down"}[up], patience)
			}
		}
	}
	var took []time.Duration
	for range times {
		if err := handle.LinkSetDown(lo); err != nil {
			n.t.Fatal(err)
		}
		down := await(false)
		took = append(took, await(true).Sub(down))
	}
	slices.Sort(took)
	return took
}

// LoopbackUp says whether the node's lo is up.
func (n *Node) LoopbackUp() bool {
	n.t.Helper()
	ns, err := netns.GetFromPath(n.Netns())
	if err != nil {
		n.t.Fatal(err)
	}
	defer ns.Close()
	handle, err := netlink.NewHandleAt(ns, unix.NETLINK_ROUTE)
	if err != nil {
		n.t.Fatal(err)
	}
	defer handle.Close()
	lo, err := handle.LinkByName("lo")
	if err != nil {
		n.t.Fatal(err)
	}
	return lo.Attrs().Flags&net.FlagUp != 0
}

// durations says the median and the longest of sorted durations.
func durations(sorted []time.Duration) string {
	return fmt.Sprintf("median %s, longest %s of %d", sorted[len(sorted)/2].Round(10*time.Microsecond), sorted[len(sorted)-1].Round(10*time.Microsecond), len(sorted))
}
