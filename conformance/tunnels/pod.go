// SPDX-License-Identifier: Apache-2.0

package tunnels

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/node"
)

// Port is where every pod takes connections.
const Port = "8080"

// patience is how long a pod waits for its connection: until the kernel would
// send SYN again, so that a packet that was lost is a connection that failed.
const patience = time.Second

// A Pod runs on a node, and has a server.
type Pod struct {
	Node    *Node
	Address string

	sandbox *node.Pin
	server  net.Listener
}

// Start has the runtime of a node make a pod.
func (n *Node) Start(ctx context.Context, r *chain.Runtime) (*Pod, error) {
	p := &Pod{Node: n}
	id := fmt.Sprintf("%s-pod%d", n.Name, len(n.pods))
	err := n.do(func() error {
		var err error
		if p.sandbox, err = node.NewPin(id); err != nil {
			return err
		}
		result, err := r.Add(ctx, chain.Pod{ID: id, Netns: p.sandbox.Path})
		if err != nil {
			return errors.Join(err, p.sandbox.Remove())
		}
		p.Address = chain.Address(result)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", id, err)
	}
	err = node.Within(p.sandbox.Path, func() error {
		p.server, err = net.Listen("tcp4", net.JoinHostPort(p.Address, Port))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", id, errors.Join(err, p.sandbox.Remove()))
	}
	go p.serve()
	n.pods = append(n.pods, p)
	return p, nil
}

func (p *Pod) serve() {
	for {
		c, err := p.server.Accept()
		if err != nil {
			return // closed
		}
		_ = c.Close()
	}
}

// Reaches reports whether a connection from one pod to another comes about.
func (p *Pod) Reaches(other *Pod) (bool, error) {
	reached := false
	err := node.Within(p.sandbox.Path, func() error {
		c, err := net.DialTimeout("tcp4", net.JoinHostPort(other.Address, Port), patience)
		if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
			return nil
		}
		if err != nil {
			return fmt.Errorf("connect from %s to %s: %w", p.Address, other.Address, err)
		}
		reached = true
		return c.Close()
	})
	return reached, err
}

func (p *Pod) close() error { return errors.Join(p.server.Close(), p.sandbox.Remove()) }
