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

// LoopbackDown sets the node's lo down and returns how long it was down at most: from the call
// until the test knows that it is up, as the kernel says. It fails the test if lo stays down.
func (n *Node) LoopbackDown() time.Duration {
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
	await := func(up bool) {
		deadline := time.After(patience)
		for {
			select {
			case u := <-updates:
				if u.Link.Attrs().Name == "lo" && u.Link.Attrs().Flags&net.FlagUp != 0 == up {
					return
				}
			case <-deadline:
				n.t.Fatalf("lo of %s is not %s after %s", n.Name, map[bool]string{true: "up", false: "down"}[up], patience)
			}
		}
	}
	began := time.Now()
	if err := handle.LinkSetDown(lo); err != nil {
		n.t.Fatal(err)
	}
	await(false)
	await(true)
	return time.Since(began)
}

// durations says the median and the longest of some durations.
func durations(all []time.Duration) string {
	sorted := slices.Sorted(slices.Values(all))
	return fmt.Sprintf("median %s, longest %s of %d", sorted[len(sorted)/2].Round(10*time.Microsecond), sorted[len(sorted)-1].Round(10*time.Microsecond), len(sorted))
}
