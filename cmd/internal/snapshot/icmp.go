// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// A conversation is what one ICMP socket sent, and what came back.
type conversation struct {
	Six  bool                   `json:"six,omitempty"`
	Err  *failure               `json:"error,omitempty"` // why the socket could not be opened
	Sent map[netip.Addr][]*sent `json:"sent,omitempty"`  // by destination, in their order
	// Reports are errors that quote none of the messages, but perhaps the packet of a
	// tunnel that carried one.
	Reports []unsolicited `json:"reports,omitempty"`
}

// An unsolicited is an ICMP error as it was received, cut after the header that it quotes.
type unsolicited struct {
	Message []byte     `json:"message"`
	From    netip.Addr `json:"from"`
	Link    int        `json:"link,omitempty"`
}

// Bounds of what is recorded of them.
const (
	maxReports = 256
	maxReport  = 64 // bytes: the header of ICMP, that of IPv6, and the ports of UDP
)

// A sent is a message that was sent.
type sent struct {
	Err     *failure `json:"error,omitempty"` // why it was not
	Replies []reply  `json:"replies,omitempty"`
}

// A reply is a message that came back: the answer, or an error that quotes the message.
type reply struct {
	Type byte       `json:"type"`
	Code byte       `json:"code,omitempty"`
	From netip.Addr `json:"from"`
	Link int        `json:"link,omitempty"` // index of the device that received it
}

// The parts of ICMP messages: RFC 792 and RFC 4443.
const (
	echoHeader = 8
	echoReply4 = 0
	echoReply6 = 129
)

// ListenICMP implements View.
func (r recorder) ListenICMP(six bool) (netstate.ICMPConn, error) {
	conn, err := r.View.ListenICMP(six)
	c := &conversation{Six: six, Err: failureOf(err)}
	r.k.Answers.mu.Lock()
	r.k.Conversations = append(r.k.Conversations, c)
	r.k.Answers.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return &recordingConn{ICMPConn: conn, mu: &r.k.Answers.mu, c: c, byEcho: map[[4]byte]*sent{}}, nil
}

// A recordingConn records what passes through a socket.
type recordingConn struct {
	netstate.ICMPConn
	mu *sync.Mutex // of everything that is recorded

	c      *conversation
	byEcho map[[4]byte]*sent // the last with this identifier and sequence number
}

// Send implements ICMPConn.
func (c *recordingConn) Send(message []byte, to netip.Addr) error {
	s := &sent{}
	c.mu.Lock()
	if c.c.Sent == nil {
		c.c.Sent = map[netip.Addr][]*sent{}
	}
	c.c.Sent[to] = append(c.c.Sent[to], s)
	if len(message) >= echoHeader { // before it leaves: the answer may be faster
		c.byEcho[[4]byte(message[4:8])] = s
	}
	c.mu.Unlock()
	err := c.ICMPConn.Send(message, to)
	c.mu.Lock()
	s.Err = failureOf(err)
	c.mu.Unlock()
	return err
}

// Receive implements ICMPConn.
func (c *recordingConn) Receive(buffer []byte) (int, netstate.Sender, error) {
	n, from, err := c.ICMPConn.Receive(buffer)
	if err != nil || n < echoHeader {
		return n, from, err
	}
	message := buffer[:n]
	echo, isReply := message[4:8], message[0] == echoReply4 && !c.c.Six || message[0] == echoReply6 && c.c.Six
	if !isReply {
		echo = quotedEcho(message[echoHeader:], c.c.Six)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(echo) == 4 {
		if s := c.byEcho[[4]byte(echo)]; s != nil {
			s.Replies = append(s.Replies, reply{Type: message[0], Code: message[1], From: from.Addr, Link: from.Link})
			return n, from, err
		}
	}
	if !isReply && len(c.c.Reports) < maxReports {
		c.c.Reports = append(c.c.Reports, unsolicited{slices.Clone(message[:min(n, maxReport)]), from.Addr, from.Link})
	}
	return n, from, err
}

// quotedEcho returns the identifier and sequence number of the message in a packet, or
// nil.
func quotedEcho(packet []byte, six bool) []byte {
	header := 40
	if !six {
		if len(packet) == 0 {
			return nil
		}
		header = int(packet[0]&0x0f) * 4
	}
	if len(packet) < header+echoHeader {
		return nil
	}
	return packet[header+4 : header+8]
}

// ListenICMP implements View. The socket answers as the recorded one was answered.
func (r *replayed) ListenICMP(six bool) (netstate.ICMPConn, error) {
	r.k.Answers.mu.Lock()
	defer r.k.Answers.mu.Unlock()
	var own *conversation
	var others []*conversation
	for _, c := range r.k.Conversations {
		switch {
		case c == nil || c.Six != six:
		case own == nil && !r.opened[c]:
			own = c
		default:
			others = append(others, c)
		}
	}
	if own == nil && len(others) == 0 {
		return nil, fmt.Errorf("open ICMP socket: %w", ErrNotRecorded)
	}
	if own == nil {
		own, others = others[0], others[1:]
	}
	r.opened[own] = true
	if own.Err != nil {
		return nil, own.Err.err()
	}
	return &replayedConn{ICMPInbox: netstate.NewICMPInbox(), six: six, of: append([]*conversation{own}, others...), count: map[netip.Addr]int{}}, nil
}

// A replayedConn answers what is sent as it was answered on the node.
type replayedConn struct {
	*netstate.ICMPInbox
	six bool
	of  []*conversation // its own, then those that may know a destination that it does not

	mu    sync.Mutex
	count map[netip.Addr]int // messages sent
}

// Send implements ICMPConn.
func (c *replayedConn) Send(message []byte, to netip.Addr) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []*sent
	for _, of := range c.of {
		if all = of.Sent[to]; len(all) > 0 {
			break
		}
	}
	if len(all) == 0 {
		return fmt.Errorf("send to %s: %w", to, ErrNotRecorded)
	}
	if len(c.count) == 0 { // reports come after some message or other
		for _, r := range c.of[0].Reports {
			c.Put(r.Message, netstate.Sender{Addr: r.From, Link: r.Link})
		}
	}
	at := c.count[to]
	c.count[to]++
	if at >= len(all) || all[at] == nil {
		return nil // one that nothing answers
	}
	if all[at].Err != nil {
		return all[at].Err.err()
	}
	for _, r := range all[at].Replies {
		c.Put(r.message(message, to, c.six), netstate.Sender{Addr: r.From, Link: r.Link})
	}
	return nil
}

// message returns the reply to a request.
func (r reply) message(request []byte, to netip.Addr, six bool) []byte {
	if (r.Type == echoReply4 && !six || r.Type == echoReply6 && six) && len(request) > 0 {
		return append([]byte{r.Type}, request[1:]...)
	}
	return netstate.ICMPError(r.Type, r.Code, to.Unmap(), request)
}

// Drain returns once all answers to what was sent have been received and handled: package
// tunnel need not wait in real time for what was silent when it was recorded.
func (c *replayedConn) Drain() { c.AwaitHandled() }
