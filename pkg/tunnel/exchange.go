// SPDX-License-Identifier: Apache-2.0

package tunnel

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// send sends the requests of an attempt, as far as the budget and ctx allow. The
// opportunistic ones come last, and do not wait for the budget.
func (p *prober) send(ctx context.Context, n attempt) {
	messages := [...][]byte{make([]byte, p.length(false)), make([]byte, p.length(true))}
	for i := range p.targets {
		if !p.needsRequest(i, n) {
			continue
		}
		if p.groups[p.targets[i].group].opportunistic && p.pacer.delay(time.Now()) > 0 || !p.pacer.await(ctx) {
			break
		}
		message := messages[0]
		if p.targets[i].addr.Is6() {
			message = messages[1]
		}
		p.sendOne(message, i, n)
	}
	if n == first {
		p.sent = time.Now()
	}
	p.settleIdle(n)
}

func (p *prober) needsRequest(i int, n attempt) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := &p.targets[i]
	g := &p.groups[t.group]
	return p.conn(t.addr) != nil && (n == first && !t.alternative && !g.noSocket || n == second && g.waiting)
}

// sendOne sends a request to a target. It notes the time first, because an answer may
// arrive before the system call returns.
func (p *prober) sendOne(message []byte, i int, n attempt) {
	p.mu.Lock()
	t := &p.targets[i]
	g := &p.groups[t.group]
	t.sent[n] = time.Now()
	g.sent++
	if g.state == Unprobed {
		g.state, g.reason = Silent, ""
	}
	p.mu.Unlock()

	p.writeRequest(message, t.addr, uint16(i), n)
	if err := p.conn(t.addr).Send(message, t.addr); err != nil {
		p.sendFailed(i, n, err)
	}
}

// sendFailed records the error of a request that was not sent.
func (p *prober) sendFailed(i int, n attempt, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := &p.targets[i]
	g := &p.groups[t.group]
	t.sent[n] = time.Time{}
	if g.state.Confirms() || t.alternative || n == second {
		return
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, os.ErrClosed):
		g.state, g.by, g.reason = Unprobed, netip.Addr{}, reasonNoTime
	case isPathError(err):
		g.state, g.by, g.reason = Unreachable, netip.Addr{}, sendReason(err)
	default:
		g.state, g.by, g.reason = Unprobed, netip.Addr{}, "nothing was sent: "+sendReason(err)
	}
	p.settle(g)
}

// isPathError reports whether an error concerns the path to the peer. Others concern this
// moment, or a firewall of this node.
func isPathError(err error) bool {
	for _, errno := range []unix.Errno{unix.ENETUNREACH, unix.EHOSTUNREACH, unix.ENETDOWN, unix.EHOSTDOWN, unix.EADDRNOTAVAIL, unix.EINVAL, unix.ENODEV, unix.ENXIO} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

// sendReason returns the text of an error of a socket.
func sendReason(err error) string {
	var errno unix.Errno
	switch {
	case errors.Is(err, unix.EPERM):
		return "operation not permitted; a firewall of this node drops it"
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return "there is no source address; the family may be disabled"
	case errors.As(err, &errno):
		return errno.Error()
	}
	return err.Error()
}

// receive reads each socket in a goroutine until its deadline. The channel is closed when
// all have ended.
func (p *prober) receive() <-chan struct{} {
	var all sync.WaitGroup
	p.each(func(conn netstate.ICMPConn, six bool) {
		all.Go(func() { p.receiveFrom(conn, six) })
	})
	ended := make(chan struct{})
	go func() {
		all.Wait()
		close(ended)
	}()
	return ended
}

// receiveFrom reads a socket until its deadline. Other errors concern one packet; a
// socket that returns nothing else is given up.
func (p *prober) receiveFrom(conn netstate.ICMPConn, six bool) {
	const maxErrors = 100
	buffer := make([]byte, max(2048, p.bytes)) // a longer message answers no request of ours
	for failed := 0; failed < maxErrors; {
		n, from, err := conn.Receive(buffer)
		switch {
		case err == nil:
			failed = 0
			p.handle(buffer[:n], from, six, time.Now())
		case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, os.ErrClosed):
			return
		default:
			failed++
		}
	}
}

// handle records what a message says about a request of ours, if anything.
func (p *prober) handle(message []byte, from netstate.Sender, six bool, now time.Time) {
	if len(message) < echoHeader {
		return
	}
	switch kind := message[0]; {
	case !six && kind == echoReply4, six && kind == echoReply6:
		if seq, n, ok := p.parseReply(message, six); ok {
			p.answered(int(seq), n, from, now)
		}
	case !six && (kind == unreachable4 || kind == timeExceeded4), six && (kind == unreachable6 || kind == timeExceeded6):
		if seq, to, ok := p.parseError(message, six); ok {
			p.undeliverable(int(seq), to, from.Addr, errorReason(kind, message[1], six))
		} else if outer, ok := quotedCarrier(message[echoHeader:], six); ok {
			p.refused(outer, Refusal{By: from.Addr, Closed: isClosed(kind, message[1], six), Reason: errorReason(kind, message[1], six)})
		}
	}
}

// answered records an answer, unless the group has one already. An answer from another
// address does not count, because it need not take the same path. Neither does one that
// did not come through the tunnel.
func (p *prober) answered(seq int, n attempt, from netstate.Sender, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if seq >= len(p.targets) || p.targets[seq].sent[n].IsZero() {
		return
	}
	t := &p.targets[seq]
	g := &p.groups[t.group]
	switch {
	case g.state.Confirms():
		return
	case from.Addr != t.addr:
		g.by, g.reason = from.Addr, "another address answered in its place"
		return
	case !g.accepts(from.Link):
		g.by, g.reason = from.Addr, reasonWrongDevice
		return
	}
	g.state, g.by, g.reason = Answered, from.Addr, ""
	if n == second && !t.sent[first].IsZero() {
		g.state = Retried
	}
	g.rtt = now.Sub(t.sent[n])
	p.settle(g)
}

// undeliverable records that a host reported that a request cannot be delivered.
func (p *prober) undeliverable(seq int, to, by netip.Addr, reason string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if seq >= len(p.targets) || p.targets[seq].addr != to || p.targets[seq].sent == [attempts]time.Time{} {
		return
	}
	g := &p.groups[p.targets[seq].group]
	if g.state.Confirms() || p.targets[seq].alternative {
		return
	}
	g.state, g.by, g.reason = Unreachable, by, reason
	p.settle(g)
}

// refused records that a host reported that an outer packet cannot be delivered. Other
// packets of the node to the same port may be meant; they fare alike.
func (p *prober) refused(outer carried, r Refusal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.refusals) < maxTargets {
		p.refusals[outer] = r
	}
}
