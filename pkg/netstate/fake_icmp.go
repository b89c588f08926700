// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ListenICMP implements View. Addresses answer as the statements "answers" and
// "unreachable" define; every other address is silent. Answers come at once.
func (f *Fake) ListenICMP(six bool) (ICMPConn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.failure("ListenICMP"); err != nil {
		return nil, err
	}
	return &fakeICMP{pings: f.pings, six: six, asked: map[netip.Addr]int{}, wake: make(chan struct{}, 1)}, nil
}

// fakeICMP keeps the answers until they are received.
type fakeICMP struct {
	pings pings
	six   bool
	wake  chan struct{} // something of what follows has changed

	mu       sync.Mutex
	asked    map[netip.Addr]int
	answers  []fakeAnswer
	deadline time.Time
}

type fakeAnswer struct {
	message []byte
	from    Sender
}

// Send implements ICMPConn.
func (c *fakeICMP) Send(message []byte, to netip.Addr) error {
	c.mu.Lock()
	c.asked[to]++
	for _, p := range c.pings {
		if p.addr == to && c.asked[to] >= p.after && (p.upto == 0 || len(message) <= p.upto) {
			c.answers = append(c.answers, p.answer(message, c.six))
		}
	}
	c.mu.Unlock()
	c.changed()
	return nil
}

// Receive implements ICMPConn.
func (c *fakeICMP) Receive(buffer []byte) (int, Sender, error) {
	for {
		c.mu.Lock()
		if len(c.answers) > 0 {
			a := c.answers[0]
			c.answers = c.answers[1:]
			c.mu.Unlock()
			return copy(buffer, a.message), a.from, nil
		}
		left := time.Until(c.deadline)
		forever := c.deadline.IsZero()
		c.mu.Unlock()
		if !forever && left <= 0 {
			return 0, Sender{}, fmt.Errorf("receive: %w", os.ErrDeadlineExceeded)
		}
		c.await(left, forever)
	}
}

// await returns when something has changed, or the time has passed.
func (c *fakeICMP) await(left time.Duration, forever bool) {
	if forever {
		<-c.wake
		return
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-c.wake:
	case <-timer.C:
	}
}

func (c *fakeICMP) changed() {
	select {
	case c.wake <- struct{}{}:
	default: // the reader will see this change as well
	}
}

// SetDeadline implements ICMPConn.
func (c *fakeICMP) SetDeadline(t time.Time) error {
	c.mu.Lock()
	c.deadline = t
	c.mu.Unlock()
	c.changed()
	return nil
}

// ForbidFragments implements ICMPConn.
func (c *fakeICMP) ForbidFragments() error { return nil }

// Close implements ICMPConn.
func (c *fakeICMP) Close() error { return c.SetDeadline(time.Unix(1, 0)) }

// answer makes an echo reply of a request, or an error that quotes it.
func (p ping) answer(request []byte, six bool) fakeAnswer {
	reply, unreachable := byte(0), byte(3)
	if six {
		reply, unreachable = 129, 1
	}
	if p.outer.IsValid() {
		return fakeAnswer{p.refusal(six), Sender{Addr: p.from, Link: p.over}}
	}
	if p.from.IsValid() && !p.answers {
		quoted := quote(p.addr, request)
		return fakeAnswer{append([]byte{unreachable, 1, 0, 0, 0, 0, 0, 0}, quoted...), Sender{Addr: p.from, Link: p.over}}
	}
	message := append([]byte{reply}, request[1:]...)
	from := p.addr
	if p.from.IsValid() {
		from = p.from
	}
	return fakeAnswer{message, Sender{Addr: from, Link: p.over}}
}

// quote puts the IP header that the request had in front of it, as far as a
// reader of the error needs it.
func quote(to netip.Addr, request []byte) []byte {
	if to.Is6() {
		header := make([]byte, 40)
		header[0], header[6] = 6<<4, 58
		dst := to.As16()
		copy(header[24:], dst[:])
		return append(header, request...)
	}
	header := make([]byte, 20)
	header[0], header[9] = 4<<4|5, 1
	binary.BigEndian.PutUint16(header[2:], uint16(20+len(request)))
	dst := to.As4()
	copy(header[16:], dst[:])
	return append(header, request...)
}

// pings are the statements "answers" and "unreachable", in their order.
type pings []ping

// A ping defines the answer to echo requests to one address.
type ping struct {
	addr    netip.Addr
	answers bool       // else it is unreachable
	after   int        // the first request that gets an answer, from 1 on
	from    netip.Addr // the sender of the answer; the zero Addr: the address itself
	upto    int        // the most bytes that a request may have; 0: any
	outer   netip.Addr // refused: the destination of the tunnel's packet, over UDP
	port    uint16
	over    int // index of the device that receives the answer; 0: the kernel does not report it
}

func (p *pings) parse(word string, words []string) (err error) {
	if len(words) == 0 {
		return fmt.Errorf("want an address")
	}
	one := ping{answers: word == "answers", after: 1}
	if one.addr, err = netip.ParseAddr(words[0]); err != nil {
		return err
	}
	for key, value := range pairs(words[1:], &err) {
		switch {
		case key == "after" && one.answers:
			one.after, err = strconv.Atoi(value)
		case key == "over":
			one.over, err = strconv.Atoi(value)
		case key == "upto" && one.answers:
			one.upto, err = strconv.Atoi(value)
		case key == "to" && word == "refuses":
			one.outer, err = netip.ParseAddr(value)
		case key == "port" && word == "refuses":
			var n uint64
			n, err = strconv.ParseUint(value, 10, 16)
			one.port = uint16(n)
		case key == "as" && one.answers, key == "by" && !one.answers:
			one.from, err = netip.ParseAddr(value)
		default:
			err = fmt.Errorf("%s is nothing that can be said of it", key)
		}
	}
	if err == nil && !one.answers && !one.from.IsValid() {
		return fmt.Errorf("want by ADDR")
	}
	*p = append(*p, one)
	return err
}

// String prints the statements.
func (p pings) String() string {
	var b strings.Builder
	for _, one := range p {
		if one.outer.IsValid() {
			fmt.Fprintf(&b, "refuses %s by %s to %s port %d%s\n", one.addr, one.from, one.outer, one.port, one.way())
			continue
		}
		if !one.answers {
			fmt.Fprintf(&b, "unreachable %s by %s%s\n", one.addr, one.from, one.way())
			continue
		}
		fmt.Fprintf(&b, "answers %s", one.addr)
		if one.after > 1 {
			fmt.Fprintf(&b, " after %d", one.after)
		}
		if one.from.IsValid() {
			fmt.Fprintf(&b, " as %s", one.from)
		}
		if one.upto != 0 {
			fmt.Fprintf(&b, " upto %d", one.upto)
		}
		b.WriteString(one.way() + "\n")
	}
	return b.String()
}

// way is the end of a statement, from the device on.
func (p ping) way() string {
	if p.over == 0 {
		return ""
	}
	return fmt.Sprintf(" over %d", p.over)
}
