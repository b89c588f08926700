// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"sync/atomic"
	"time"

	"github.com/cni-guard/cni-guard/pkg/dirwatch"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// resubscribe is the time between two attempts to hear of changes.
const resubscribe = 30 * time.Second

// changes hears of what changes on the node: links, addresses, routes, rules and interface
// sysctls, nftables, and the files of the conf dir and the plugin directories.
type changes struct {
	changed chan struct{} // has one value if something changed since it was read
	warn    func(error)   // gets what is not reported; may be called by several goroutines

	dirs  atomic.Pointer[[]string]
	files *dirwatch.Watch
}

// newChanges subscribes to changes until ctx ends.
func newChanges(ctx context.Context, warn func(error)) *changes {
	c := &changes{changed: make(chan struct{}, 1), warn: warn}
	c.dirs.Store(new([]string))
	c.files = dirwatch.New(func() []string { return *c.dirs.Load() }, func(bool) { c.notify() }, func(events bool, err error) {
		if !events {
			warn(err)
		}
	})
	kernel, err := netstate.OpenNode()
	if err != nil {
		warn(err)
		return c
	}
	context.AfterFunc(ctx, kernel.Close)
	subscribe(ctx, c, kernel.WatchChanges)
	subscribe(ctx, c, kernel.WatchRoutes)
	subscribe(ctx, c, kernel.WatchRuleset)
	return c
}

// at watches other directories from now on, if they are others.
func (c *changes) at(ctx context.Context, dirs []string) {
	if first := c.dirs.Swap(&dirs); *first == nil {
		go c.files.Run(ctx)
		return
	}
	c.files.Check()
}

// directories returns the conf dir and the plugin directories of the node as last found.
func (c *call) directories() []string {
	dirs := []string{}
	for _, dir := range append([]string{c.node.Site.ConfDir}, c.node.Site.Runtime.BinDirs...) {
		if dir != "" && !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

func (c *changes) notify() {
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// subscribe notifies of what a subscription reports. The first one is there when it
// returns: what changes during the first look is noticed.
func subscribe[T any](ctx context.Context, c *changes, to func(context.Context) (<-chan T, error)) {
	reports, err := to(ctx)
	go func() {
		for {
			if err != nil && !errors.Is(err, fs.ErrPermission) { // a limit of the report has that
				c.warn(err)
			}
			if err == nil {
				for range reports {
					c.notify()
				}
			}
			if !pause(ctx, resubscribe) {
				return
			}
			if reports, err = to(ctx); err == nil {
				c.notify() // what changed in between
			}
		}
	}()
}
