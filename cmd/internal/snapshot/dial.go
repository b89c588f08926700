// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// A dialed is a connection that was opened, or why it was not.
type dialed struct {
	Network string      `json:"network"`
	Address string      `json:"address"`
	Err     *failure    `json:"error,omitempty"`
	Read    []*readData `json:"read,omitempty"`
}

// A readData is what one Read returned. The services that checks ask answer with what they
// were sent, but for its first bytes: only these are stored.
type readData struct {
	Bytes int      `json:"bytes"`
	Head  []byte   `json:"head,omitempty"`
	Err   *failure `json:"error,omitempty"`
}

// headLen is how many bytes of an answer are stored: the word of package echo.
const headLen = 16

// Dial implements View.
func (r recorder) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := r.View.Dial(ctx, network, address)
	d := &dialed{Network: network, Address: address, Err: failureOf(err)}
	r.k.Answers.mu.Lock()
	r.k.Dialed = append(r.k.Dialed, d)
	r.k.Answers.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return &recordingNetConn{conn, &r.k.Answers.mu, d}, nil
}

type recordingNetConn struct {
	net.Conn
	mu *sync.Mutex
	d  *dialed
}

// Read implements net.Conn.
func (c *recordingNetConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.d.Read = append(c.d.Read, &readData{Bytes: n, Head: append([]byte(nil), b[:min(n, headLen)]...), Err: failureOf(err)})
	return n, err
}

// Dial implements View.
func (r *replayed) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	r.k.Answers.mu.Lock()
	defer r.k.Answers.mu.Unlock()
	var last *dialed
	for _, d := range r.k.Dialed {
		if d == nil || d.Network != network || d.Address != address {
			continue
		}
		last = d
		if !r.dialed[d] {
			break
		}
	}
	if last == nil {
		return nil, fmt.Errorf("dial %s %s: %w", network, address, ErrNotRecorded)
	}
	r.dialed[last] = true
	if last.Err != nil {
		return nil, last.Err.err()
	}
	return &replayedNetConn{d: last, stream: network == "tcp", silent: make(chan struct{})}, nil
}

// A replayedNetConn answers with what it is sent, as the recorded one was answered.
type replayedNetConn struct {
	net.Conn // nil: no other method is called
	d        *dialed
	stream   bool

	mu      sync.Mutex
	written []byte
	next    int // of d.Read
	offset  int // in the answer, of a stream
	once    sync.Once
	silent  chan struct{} // closed once there is a deadline: there is nothing to wait for
}

// Write implements net.Conn.
func (c *replayedNetConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.stream {
		c.written, c.offset = nil, 0
	}
	c.written = append(c.written, b...)
	return len(b), nil
}

// Read implements net.Conn.
func (c *replayedNetConn) Read(b []byte) (int, error) {
	c.mu.Lock()
	if c.next >= len(c.d.Read) || c.d.Read[c.next] == nil {
		c.mu.Unlock()
		<-c.silent
		return 0, os.ErrDeadlineExceeded
	}
	defer c.mu.Unlock()
	got := c.d.Read[c.next]
	c.next++
	n := max(0, min(got.Bytes, len(b), len(c.written)-c.offset))
	copy(b[:n], c.written[c.offset:])
	copy(b[:n], got.Head)
	if c.stream {
		c.offset += n
	}
	if n == 0 && got.Err == nil {
		return 0, io.EOF
	}
	return n, got.Err.err()
}

// SetDeadline implements net.Conn. An answer that was not recorded does not come, so that
// the deadline need not be awaited.
func (c *replayedNetConn) SetDeadline(t time.Time) error {
	if !t.IsZero() {
		c.once.Do(func() { close(c.silent) })
	}
	return nil
}

// SetReadDeadline implements net.Conn.
func (c *replayedNetConn) SetReadDeadline(t time.Time) error { return c.SetDeadline(t) }

// SetWriteDeadline implements net.Conn.
func (c *replayedNetConn) SetWriteDeadline(time.Time) error { return nil }

// Close implements net.Conn.
func (c *replayedNetConn) Close() error { return c.SetDeadline(time.Unix(1, 0)) }
