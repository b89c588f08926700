// SPDX-License-Identifier: Apache-2.0

// Package echo is a small echo service over TCP and UDP, and its client. The agent of
// each node serves it; the check overlay-path asks it through a tunnel whose pings are
// answered, because a broken checksum offload breaks TCP and UDP and leaves ICMP alone.
//
// The service answers only its own requests, with as many bytes as it got, and no answer
// is a request: it can neither amplify nor be made to talk to another echo service.
package echo

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
)

// Port is the port of the service. It is below the ephemeral ports of Linux (32768) and
// the NodePorts of Kubernetes (30000).
const Port = 10977

// A message is a word of 16 bytes, a nonce of eight, and padding.
const (
	requestWord = "cni-guard ask 1\n"
	answerWord  = "cni-guard say 1\n"
	minMessage  = len(requestWord) + 8
	maxMessage  = 16 << 10
)

// A State is what became of a request.
type State uint8

const (
	Unasked  State = iota // nothing was sent: the local error is in Answer.Err
	Answered              // the service answered
	// Refused: there is no service on the port, and the other node said so: by a RST, or by
	// "port unreachable". Its kernel accepted the checksum of the request.
	Refused
	// Stalled: the connection was established, and the data got no answer in time.
	Stalled
	Silent // no answer came in time
)

// String returns the name of the state.
func (s State) String() string {
	names := [...]string{"unasked", "answered", "refused", "stalled", "silent"}
	if int(s) < len(names) {
		return names[s]
	}
	return "invalid"
}

// Passes reports whether packets of the protocol reach the other node, and come back.
func (s State) Passes() bool { return s == Answered || s == Refused }

// An Answer is the result of one request.
type Answer struct {
	State State
	RTT   time.Duration // of an Answered request: over TCP with the handshake
	Err   error         // why the request is Unasked, or not Answered; nil if it is
}

// A Dialer opens a connected socket: net.Dialer.DialContext, or that of a namespace.
type Dialer func(ctx context.Context, network, address string) (net.Conn, error)

// TCP sends a request of size bytes over TCP and awaits the answer until ctx ends. It
// must end.
func TCP(ctx context.Context, dial Dialer, to netip.AddrPort, size int) Answer {
	return ask(ctx, dial, "tcp", to, size)
}

// UDP sends a request of size bytes over UDP, and again every 100 ms until the answer
// comes or ctx ends. It must end. The kernel fragments what exceeds the MTU.
func UDP(ctx context.Context, dial Dialer, to netip.AddrPort, size int) Answer {
	return ask(ctx, dial, "udp", to, size)
}

func ask(ctx context.Context, dial Dialer, network string, to netip.AddrPort, size int) Answer {
	start := time.Now()
	conn, err := dial(ctx, network, to.String())
	if err != nil {
		return unconnected(ctx, err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	message := request(size)
	if network == "udp" {
		err = exchangeDatagrams(conn, message)
	} else {
		err = exchange(conn, message)
	}
	switch {
	case err == nil:
		return Answer{State: Answered, RTT: time.Since(start)}
	case errors.Is(err, syscall.ECONNREFUSED):
		return Answer{State: Refused, Err: err}
	case network == "tcp":
		return Answer{State: Stalled, Err: err}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return Answer{State: Silent, Err: err}
	}
	return Answer{State: Unasked, Err: err}
}

// unconnected returns the answer that a failed connect stands for.
func unconnected(ctx context.Context, err error) Answer {
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return Answer{State: Refused, Err: err}
	case errors.Is(err, syscall.ETIMEDOUT), ctx.Err() != nil, errors.As(err, &timeout) && timeout.Timeout():
		return Answer{State: Silent, Err: err}
	}
	return Answer{State: Unasked, Err: err}
}

// request returns a request with a nonce.
func request(size int) []byte {
	message := make([]byte, min(max(size, minMessage), maxMessage))
	copy(message, requestWord)
	binary.BigEndian.PutUint64(message[len(requestWord):], rand.Uint64())
	return message
}

// answerTo turns a request into its answer, in place. It reports false if the message is no
// request.
func answerTo(message []byte) bool {
	if len(message) < minMessage || string(message[:len(requestWord)]) != requestWord {
		return false
	}
	copy(message, answerWord)
	return true
}

// isAnswer reports whether a message is the answer to a request.
func isAnswer(message, request []byte) bool {
	return len(message) == len(request) && string(message[:len(answerWord)]) == answerWord &&
		string(message[len(answerWord):minMessage]) == string(request[len(requestWord):minMessage])
}
