// SPDX-License-Identifier: Apache-2.0

package tunnel

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// send sends the requests of a round, as far as pace and ctx let it. Who is asked in
// passing comes last, and has nobody wait for the pace.
func (p *prober) send(ctx context.Context, t try) {
	message := make([]byte, requestLen)
	for i := range p.targets {
		if !p.wants(i, t) {
			continue
		}
		if p.groups[p.targets[i].group].passing && p.pace.wait(time.Now()) > 0 || !p.pace.await(ctx) {
			break
		}
		p.sendOne(message, i, t)
	}
	if t == first {
		p.sent = time.Now()
	}
	p.settleIdle(t)
}

// wants reports whether a target is to be asked in this round.
func (p *prober) wants(i int, t try) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	target := &p.targets[i]
	g := &p.groups[target.group]
	return p.conn(target.addr) != nil && (t == first && !target.also && !g.mute || t == second && g.waiting)
}

// sendOne asks one target. The moment is noted first: an answer may be faster
// than the way back from the system call.
func (p *prober) sendOne(message []byte, i int, t try) {
	p.mu.Lock()
	target := &p.targets[i]
	g := &p.groups[target.group]
	target.sent[t] = time.Now()
	g.sent++
	if g.state == Unprobed {
		g.state, g.why = Silent, ""
	}
	p.mu.Unlock()

	p.request(message, target.addr, uint16(i), t)
	if err := p.conn(target.addr).Send(message, target.addr); err != nil {
		p.notSent(i, t, err)
	}
}

// notSent notes of a group what the kernel said instead of sending.
func (p *prober) notSent(i int, t try, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	target := &p.targets[i]
	g := &p.groups[target.group]
	target.sent[t] = time.Time{}
	if g.state.Confirms() || target.also || t == second {
		return
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, os.ErrClosed):
		g.state, g.by, g.why = Unprobed, netip.Addr{}, noTime
	case noWay(err):
		g.state, g.by, g.why = Unreachable, netip.Addr{}, reason(err)
	default:
		g.state, g.by, g.why = Unprobed, netip.Addr{}, "nothing was sent: "+reason(err)
	}
	p.settle(g)
}

// noWay tells errors that say something of the way from those that say something
// of this moment, or of a firewall on the way out.
func noWay(err error) bool {
	for _, errno := range []unix.Errno{unix.ENETUNREACH, unix.EHOSTUNREACH, unix.ENETDOWN, unix.EHOSTDOWN, unix.EADDRNOTAVAIL, unix.EINVAL, unix.ENODEV, unix.ENXIO} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

// reason gives the words of an error that people know.
func reason(err error) string {
	var errno unix.Errno
	switch {
	case errors.Is(err, unix.EPERM):
		return "operation not permitted; a firewall of this node drops what leaves"
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return "there is no address to send from; the family may be switched off"
	case errors.As(err, &errno):
		return errno.Error()
	}
	return err.Error()
}
