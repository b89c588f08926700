// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"net/netip"
	"time"
)

// An ICMPConn is a raw ICMP socket of one family in one namespace. It may be sent
// through and received from at the same time.
type ICMPConn interface {
	// Send sends one ICMP message, without an IP header. The kernel fills in the
	// checksum of ICMPv6, but not that of ICMP.
	Send(message []byte, to netip.Addr) error
	// Receive waits for the next ICMP message of the namespace, whoever it is for,
	// and returns its length and its sender. What is longer than the buffer is cut.
	// The error wraps os.ErrDeadlineExceeded once the deadline has passed.
	Receive(buffer []byte) (n int, from Sender, err error)
	// SetDeadline ends what waits at that moment, in Send and in Receive.
	SetDeadline(time.Time) error
	// Close ends what waits and gives the socket back.
	Close() error
}

// A Sender is where an ICMP message came from.
type Sender struct {
	// Addr is the source address, which anybody may have written there.
	Addr netip.Addr
	// Link is the index of the device that the message came in by, a tunnel and not
	// the device below it; Loopback for a message of the namespace itself, 0 where the
	// kernel does not say.
	Link int
}

// Loopback is the index that lo has in every namespace (LOOPBACK_IFINDEX of Linux).
const Loopback = 1
