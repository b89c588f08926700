// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"context"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/node"
	"github.com/cni-guard/cni-guard/conformance/runtimes"
)

// greeting is what goes from pod to pod.
const greeting = "ping"

// SeeTalk lets a process in one pod talk to a process in the other.
func (s *Rig) SeeTalk(ctx context.Context, from, to runtimes.Pod) {
	err := talk(ctx, from, to)
	s.See(claim.PodsTalk, err == nil, fmt.Sprint(err))
}

// SeePing has the runtime execute a ping in one pod, to the other.
func (s *Rig) SeePing(ctx context.Context, from, to runtimes.Pod) {
	err := s.Runtime.Ping(ctx, from, to)
	s.See(claim.PodsPing, err == nil, fmt.Sprint(err))
}

func talk(ctx context.Context, from, to runtimes.Pod) error {
	server, err := listen(ctx, to)
	if err != nil {
		return err
	}
	defer server.Close()
	go answer(server)
	return node.Within(from.Netns, func() error { return greet(ctx, server.Addr().String()) })
}

// listen opens a port of the pod. A socket stays in the namespace that it was
// made in.
func listen(ctx context.Context, pod runtimes.Pod) (net.Listener, error) {
	var server net.Listener
	err := node.Within(pod.Netns, func() (err error) {
		server, err = new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(pod.Address, "0"))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listen in pod %s: %w", pod.Name, err)
	}
	return server, nil
}

// answer sends back what the first client sends.
func answer(server net.Listener) {
	conn, err := server.Accept()
	if err != nil {
		return // the client never came, and says why itself
	}
	defer conn.Close()
	_, _ = io.Copy(conn, conn)
}

func greet(ctx context.Context, address string) error {
	conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, greeting); err != nil {
		return err
	}
	echo := make([]byte, len(greeting))
	if _, err := io.ReadFull(conn, echo); err != nil {
		return err
	}
	if string(echo) != greeting {
		return fmt.Errorf("sent %q, got back %q", greeting, echo)
	}
	return nil
}
