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
	// and gives its length and its sender. What is longer than the buffer is cut.
	// The error wraps os.ErrDeadlineExceeded once the deadline has passed.
	Receive(buffer []byte) (n int, from netip.Addr, err error)
	// SetDeadline ends what waits at that moment, in Send and in Receive.
	SetDeadline(time.Time) error
	// Close ends what waits and gives the socket back.
	Close() error
}
