// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"time"
)

// An ICMPInbox is the receiving half of an ICMPConn that has no socket: that of a Fake, or
// of a recorded node. It keeps messages until they are received. NewICMPInbox makes one.
type ICMPInbox struct {
	wake chan struct{} // something of what follows has changed
	idle chan struct{} // the receiver waits, or the deadline was set

	mu       sync.Mutex
	messages []receivedICMP
	deadline time.Time
	waits    bool // the receiver has handled all that there was
}

type receivedICMP struct {
	message []byte
	from    Sender
}

// NewICMPInbox returns an empty inbox without a deadline.
func NewICMPInbox() *ICMPInbox {
	return &ICMPInbox{wake: make(chan struct{}, 1), idle: make(chan struct{}, 1)}
}

// Put adds a message, which is received at once.
func (b *ICMPInbox) Put(message []byte, from Sender) {
	b.mu.Lock()
	b.messages = append(b.messages, receivedICMP{message, from})
	b.mu.Unlock()
	signal(b.wake)
}

// Receive implements ICMPConn.
func (b *ICMPInbox) Receive(buffer []byte) (int, Sender, error) {
	for {
		b.mu.Lock()
		if len(b.messages) > 0 {
			next := b.messages[0]
			b.messages, b.waits = b.messages[1:], false
			b.mu.Unlock()
			return copy(buffer, next.message), next.from, nil
		}
		left, forever := time.Until(b.deadline), b.deadline.IsZero()
		b.waits = true
		signal(b.idle)
		b.mu.Unlock()
		if !forever && left <= 0 {
			return 0, Sender{}, fmt.Errorf("receive: %w", os.ErrDeadlineExceeded)
		}
		b.await(left, forever)
	}
}

// await returns when something has changed, or the time has passed.
func (b *ICMPInbox) await(left time.Duration, forever bool) {
	if forever {
		<-b.wake
		return
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-b.wake:
	case <-timer.C:
	}
}

// AwaitHandled returns once all messages were received and the receiver waits for more, or
// the deadline has passed.
func (b *ICMPInbox) AwaitHandled() {
	for {
		b.mu.Lock()
		handled := b.waits && len(b.messages) == 0
		ended := !b.deadline.IsZero() && time.Until(b.deadline) <= 0
		b.mu.Unlock()
		if handled || ended {
			return
		}
		<-b.idle
	}
}

// SetDeadline implements ICMPConn.
func (b *ICMPInbox) SetDeadline(t time.Time) error {
	b.mu.Lock()
	b.deadline = t
	b.mu.Unlock()
	signal(b.wake)
	signal(b.idle)
	return nil
}

// ForbidFragments implements ICMPConn. Whether a message was too long is up to the sender
// of the answers.
func (b *ICMPInbox) ForbidFragments() error { return nil }

// Close implements ICMPConn.
func (b *ICMPInbox) Close() error { return b.SetDeadline(time.Unix(1, 0)) }

// signal wakes the one who waits for a channel, or the next who does.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default: // there is a signal already
	}
}

// ICMPError returns an ICMP error that quotes a request to an address, of ICMP or ICMPv6
// according to the address (RFC 792, RFC 4443). The checksum is 0.
func ICMPError(kind, code byte, to netip.Addr, request []byte) []byte {
	message := []byte{kind, code, 0, 0, 0, 0, 0, 0}
	return append(append(message, ipHeader(to, len(request))...), request...)
}

// ipHeader returns the header that the packet with an ICMP message had, as far as a reader
// of an error needs it.
func ipHeader(to netip.Addr, length int) []byte {
	if to.Is6() && !to.Is4In6() {
		header := make([]byte, 40)
		header[0], header[6] = 6<<4, 58
		dst := to.As16()
		copy(header[24:], dst[:])
		return header
	}
	header := make([]byte, 20)
	header[0], header[9] = 4<<4|5, 1
	binary.BigEndian.PutUint16(header[2:], uint16(20+length))
	dst := to.As4()
	copy(header[16:], dst[:])
	return header
}
