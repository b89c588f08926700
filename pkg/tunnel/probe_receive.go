// SPDX-License-Identifier: Apache-2.0

package tunnel

import (
	"errors"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// receive has one goroutine for each socket take what comes until the socket's
// deadline. The channel is closed when all have ended.
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

// receiveFrom reads until the deadline. Any other error is of one packet, but a
// socket that gives nothing else is not asked for ever.
func (p *prober) receiveFrom(conn netstate.ICMPConn, six bool) {
	const most = 100
	buffer := make([]byte, 2048) // far more than a request; what is longer is none of ours
	for failed := 0; failed < most; {
		n, from, err := conn.Receive(buffer)
		switch {
		case err == nil:
			failed = 0
			p.take(buffer[:n], from, six, time.Now())
		case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, os.ErrClosed):
			return
		default:
			failed++
		}
	}
}

// take judges one message.
func (p *prober) take(message []byte, from netstate.Sender, six bool, now time.Time) {
	if len(message) < echoHeader {
		return
	}
	switch kind := message[0]; {
	case !six && kind == echoReply4, six && kind == echoReply6:
		if seq, t, ok := p.echoed(message); ok {
			p.answered(int(seq), t, from, now)
		}
	case !six && (kind == unreachable4 || kind == timeExceeded4), six && (kind == unreachable6 || kind == timeExceeded6):
		if seq, to, ok := p.quoted(message, six); ok {
			p.refused(int(seq), to, from.Addr, whyNot(kind, message[1], six))
		}
	}
}

// answered notes an answer, unless the group has one. From another address than
// was asked it is none: that the packets of the two meet somewhere is not known. Nor
// is one that did not come over the tunnel.
func (p *prober) answered(seq int, t try, from netstate.Sender, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if seq >= len(p.targets) || p.targets[seq].sent[t].IsZero() {
		return
	}
	target := &p.targets[seq]
	g := &p.groups[target.group]
	if g.state.Confirms() {
		return
	}
	switch {
	case from.Addr != target.addr:
		g.by, g.why = from.Addr, "another address answered in its place"
		return
	case !g.cameOver(from.Link):
		g.by, g.why = from.Addr, astray
		return
	}
	g.state, g.by, g.why = Answered, from.Addr, ""
	if t == second && !target.sent[first].IsZero() {
		g.state = Retried
	}
	g.rtt = now.Sub(target.sent[t])
	p.settle(g)
}

// refused notes that somebody says that a request does not get there.
func (p *prober) refused(seq int, to, by netip.Addr, why string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if seq >= len(p.targets) || p.targets[seq].addr != to || p.targets[seq].sent == [tries]time.Time{} {
		return
	}
	g := &p.groups[p.targets[seq].group]
	if g.state.Confirms() || p.targets[seq].also {
		return
	}
	g.state, g.by, g.why = Unreachable, by, why
	p.settle(g)
}
