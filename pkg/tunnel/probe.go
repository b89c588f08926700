// SPDX-License-Identifier: Apache-2.0

package tunnel

import (
	"context"
	"errors"
	"time"

	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// An Opener opens an ICMP socket in the namespace that the requests leave from,
// as View.ListenICMP of package netstate does.
type Opener func(six bool) (netstate.ICMPConn, error)

// ProbeOptions say how to ask. With the zero ProbeOptions everybody is asked
// once, and nobody is waited for.
type ProbeOptions struct {
	Wait   time.Duration // for answers, from the moment that the last request left
	Within time.Duration // all of it, the sending included; zero: as long as it takes
	// RetryAfter is when those that have not answered are asked again, and with them
	// their other addresses that may answer; zero: never. It is part of Wait.
	RetryAfter time.Duration
	// Passing is how many of the peers, the last ones, are asked once and in passing:
	// if the pace has room for them at once, and with a moment for their answers.
	Passing int
	// PerSecond is how many packets leave within any second at most; zero: 1900.
	PerSecond int
	Spent     Spent // what left shortly before
}

// MaxPerSecond is how many packets leave within any one second, where nothing
// else is said: enough for the burst that a new node needs, and less than any
// cloud's limit on packets of a small machine.
const MaxPerSecond = 1900

// maxTargets is how many requests can be told apart by their sequence number.
const maxTargets = 1 << 16

// Probe asks all peers in a burst, at no more than a certain pace, and gives an
// answer for each, in their order. It returns as soon as nobody is left to wait
// for. Peers without a probed address, those for whom there was no time, and
// without a Wait those that have not answered yet, are Unprobed.
//
// The error is why nobody could be asked at all. That only some could not is in
// the answers: theirs are Unprobed, with the reason.
func Probe(ctx context.Context, open Opener, peers []Peer, opt ProbeOptions) ([]Answer, error) {
	if opt.Within > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, opt.Within)
		defer cancel()
	}
	p := newProber(peers, opt)
	defer p.close()
	if err := p.open(open); err != nil {
		return p.answers(peers), err
	}
	defer context.AfterFunc(ctx, p.stop)() // a device that takes no packets must not hold us
	received := p.receive()
	if opt.RetryAfter > 0 {
		p.round(ctx, first, opt.RetryAfter)
		p.round(ctx, second, opt.Wait-opt.RetryAfter)
	} else {
		p.round(ctx, first, opt.Wait)
	}
	p.linger(ctx, min(opt.Wait, grace))
	p.stop()
	<-received
	return p.answers(peers), nil
}

// A try is a round of requests.
type try uint8

const (
	first try = iota
	second
	tries
)

// round sends what is to be sent and waits for the answers.
func (p *prober) round(ctx context.Context, t try, wait time.Duration) {
	done := p.expect(t)
	p.send(ctx, t)
	await(ctx, done, wait)
}

// linger gives those that were asked in passing a moment.
func (p *prober) linger(ctx context.Context, moment time.Duration) {
	if p.passing {
		await(ctx, p.expectPassing(), moment-time.Since(p.sent))
	}
}

// await waits until done is closed, for a while at most.
func await(ctx context.Context, done <-chan struct{}, wait time.Duration) {
	if wait <= 0 {
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// open opens a socket for each family that is asked.
func (p *prober) open(open Opener) error {
	var errs []error
	opened := false
	for six, needed := range [...]bool{p.needs(false), p.needs(true)} {
		if !needed {
			continue
		}
		conn, err := open(six == 1)
		if err != nil {
			p.cannotAsk(six == 1, err)
			errs = append(errs, err)
			continue
		}
		p.conns[six] = conn
		opened = true
	}
	if opened {
		return nil
	}
	return errors.Join(errs...)
}
