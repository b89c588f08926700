// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"context"
	"errors"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// A RouteChange is one change of the node's unicast routes, in any table but
// local. The zero RouteChange means nothing.
type RouteChange struct {
	Route TunnelRoute // over whatever device, not only a tunnel
	// Gone: the route is no longer there; else it is new, or new in part. The
	// kernel does not report IPv4 routes that it drops along with their device.
	Gone bool
	// Resync: changes were lost, because they came faster than they were read. A
	// TunnelDump has the current state. Route is zero then.
	Resync bool
}

// Room for changes: in the kernel, and in the channel. A network daemon that restarts on
// a node with 5,000 peers replaces 5,000 routes at once.
const (
	watchBuffer  = 4 << 20 // bytes, of which a change takes some hundreds
	watchBacklog = 1024
)

// WatchRoutes reports the changes of routes until ctx ends, or until the
// subscription breaks, and then closes the channel. If changes get lost, in the kernel
// (ENOBUFS) or because the channel is not read, it sends a Resync in their place.
func (l *Live) WatchRoutes(ctx context.Context) (<-chan RouteChange, error) {
	return l.watchRoutes(ctx, watchBuffer)
}

func (l *Live) watchRoutes(ctx context.Context, buffer int) (<-chan RouteChange, error) {
	var socket *nl.NetlinkSocket
	err := l.enter(func() (err error) {
		socket, err = nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("subscribe to routes: %w", err)
	}
	if socket.SetReceiveBufferSize(buffer, true) != nil { // it takes CAP_NET_ADMIN
		_ = socket.SetReceiveBufferSize(buffer, false) // bounded by net.core.rmem_max
	}
	w := &watch{socket: socket, changes: make(chan RouteChange, watchBacklog)}
	go w.run(ctx)
	return w.changes, nil
}

type watch struct {
	socket  *nl.NetlinkSocket
	changes chan RouteChange
	lost    bool // changes were lost, and no Resync was sent yet
}

// run reads until the socket is closed.
func (w *watch) run(ctx context.Context) {
	defer close(w.changes)
	defer context.AfterFunc(ctx, w.socket.Close)()
	defer w.socket.Close()
	for {
		messages, from, err := w.socket.Receive()
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, unix.ENOBUFS):
			w.lost = true
			w.resync()
			continue
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return
		case from.Pid != nl.PidKernel:
			continue
		}
		for _, m := range messages {
			w.message(m.Header.Type, m.Data)
		}
		w.resync()
	}
}

// message sends the changes of a message while there is room.
func (w *watch) message(kind uint16, b []byte) {
	if len(b) == 0 || kind != unix.RTM_NEWROUTE && kind != unix.RTM_DELROUTE {
		return
	}
	for _, route := range parseTunnelRoute(b, b[0], func(int) bool { return true }) {
		if w.lost {
			return
		}
		select {
		case w.changes <- RouteChange{Route: route, Gone: kind == unix.RTM_DELROUTE}:
		default:
			w.lost = true
		}
	}
}

// resync reports lost changes. It drops the oldest change to make room: a Resync is
// worth more than any change.
func (w *watch) resync() {
	for w.lost {
		select {
		case w.changes <- RouteChange{Resync: true}:
			w.lost = false
		default:
			select {
			case <-w.changes:
			default:
			}
		}
	}
}
