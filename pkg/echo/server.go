// SPDX-License-Identifier: Apache-2.0

package echo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Bounds of what strangers can make a server do.
const (
	maxConnections = 32
	connectionTime = 5 * time.Second
	maxPerSecond   = 500 // datagrams that are answered
)

// A Server answers echo requests. Listen creates one.
type Server struct {
	tcp   *net.TCPListener
	udp   *net.UDPConn
	slots chan struct{}
}

// Listen opens the TCP and the UDP port of an address; port 0 selects a free one. The
// unspecified address listens on all addresses of both families.
func Listen(addr netip.AddrPort) (*Server, error) {
	const attempts = 10 // the free TCP port may be taken for UDP
	var err error
	for range attempts {
		var s *Server
		if s, err = listen(addr); err == nil {
			return s, nil
		}
		if addr.Port() != 0 {
			break
		}
	}
	return nil, err
}

func listen(addr netip.AddrPort) (*Server, error) {
	ip := addr.Addr()
	if ip.IsUnspecified() {
		ip = netip.Addr{} // of both families
	}
	tcp, err := net.ListenTCP("tcp", &net.TCPAddr{IP: ip.AsSlice(), Zone: ip.Zone(), Port: int(addr.Port())})
	if err != nil {
		return nil, fmt.Errorf("listen for echo requests: %w", err)
	}
	port := tcp.Addr().(*net.TCPAddr).Port
	udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: ip.AsSlice(), Zone: ip.Zone(), Port: port})
	if err == nil {
		err = reportDestination(udp)
	}
	if err != nil {
		tcp.Close()
		if udp != nil {
			udp.Close()
		}
		return nil, fmt.Errorf("listen for echo requests: %w", err)
	}
	return &Server{tcp: tcp, udp: udp, slots: make(chan struct{}, maxConnections)}, nil
}

// Port returns the port that the server listens on.
func (s *Server) Port() uint16 { return s.tcp.Addr().(*net.TCPAddr).AddrPort().Port() }

// Serve answers requests until ctx ends, closes the ports and returns nil; else it returns
// the error of a socket that failed.
func (s *Server) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(ctx, s.close)
	defer stop()
	var all sync.WaitGroup
	for _, serve := range []func(context.Context) error{s.serveTCP, s.serveUDP} {
		all.Go(func() { cancel(serve(ctx)) })
	}
	<-ctx.Done()
	s.close()
	all.Wait()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) && !errors.Is(cause, context.DeadlineExceeded) {
		return cause
	}
	return nil
}

// Close closes the ports of a server that is not served.
func (s *Server) Close() { s.close() }

func (s *Server) close() {
	s.tcp.Close()
	s.udp.Close()
}

// serveTCP answers one request on each connection. Beyond maxConnections a connection is
// closed at once.
func (s *Server) serveTCP(ctx context.Context) error {
	var all sync.WaitGroup
	defer all.Wait()
	for {
		conn, err := s.tcp.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			if !pause(ctx, err) {
				return fmt.Errorf("accept echo requests: %w", err)
			}
			continue
		}
		select {
		case s.slots <- struct{}{}:
			all.Go(func() {
				defer func() { <-s.slots }()
				answerStream(ctx, conn)
			})
		default:
			conn.Close()
		}
	}
}

// pause waits a moment after an error that passes, such as one of too many open files. It
// reports false if the socket is closed.
func pause(ctx context.Context, err error) bool {
	if errors.Is(err, net.ErrClosed) {
		return false
	}
	timer := time.NewTimer(50 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return true
}

func answerStream(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(connectionTime))
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	message, err := readMessage(conn)
	if err == nil && answerTo(message) {
		_ = writeMessage(conn, message)
	}
}
