// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"sync"
)

// ListenICMP implements View. Addresses answer as the statements "answers" and
// "unreachable" define; every other address is silent. Answers come at once.
func (f *Fake) ListenICMP(six bool) (ICMPConn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.failure("ListenICMP"); err != nil {
		return nil, err
	}
	return &fakeICMP{ICMPInbox: NewICMPInbox(), pings: f.pings, six: six, asked: map[netip.Addr]int{}}, nil
}

// fakeICMP answers what is sent.
type fakeICMP struct {
	*ICMPInbox
	pings pings
	six   bool

	mu    sync.Mutex
	asked map[netip.Addr]int
}

// Send implements ICMPConn.
func (c *fakeICMP) Send(message []byte, to netip.Addr) error {
	c.mu.Lock()
	c.asked[to]++
	asked := c.asked[to]
	c.mu.Unlock()
	for _, p := range c.pings {
		if p.addr == to && asked >= p.after && (p.upto == 0 || len(message) <= p.upto) {
			c.Put(p.answer(message, c.six))
		}
	}
	return nil
}

// answer makes an echo reply of a request, or an error that quotes it.
func (p ping) answer(request []byte, six bool) (message []byte, from Sender) {
	reply, unreachable := byte(0), byte(3)
	if six {
		reply, unreachable = 129, 1
	}
	if p.outer.IsValid() {
		return p.refusal(six), Sender{Addr: p.from, Link: p.over}
	}
	if p.from.IsValid() && !p.answers {
		return ICMPError(unreachable, 1, p.addr, request), Sender{Addr: p.from, Link: p.over}
	}
	sender := p.addr
	if p.from.IsValid() {
		sender = p.from
	}
	return append([]byte{reply}, request[1:]...), Sender{Addr: sender, Link: p.over}
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
