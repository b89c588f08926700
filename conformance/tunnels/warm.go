// SPDX-License-Identifier: Apache-2.0

package tunnels

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"syscall"
)

// Poke sends a packet from every node to the tunl0 of every other, by hand.
func (c *Cluster) Poke() error {
	for _, n := range c.Nodes {
		err := n.do(func() error {
			for _, peer := range c.Nodes {
				if peer == n {
					continue
				}
				if err := send(inner(peer.number).String()); err != nil {
					return fmt.Errorf("poke %s from %s: %w", peer.Name, n.Name, err)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// send sends one datagram. What counts is that it goes through the tunnel.
func send(to string) error {
	c, err := net.Dial("udp4", net.JoinHostPort(to, "9")) // discard
	if err != nil {
		return err
	}
	_, err = c.Write([]byte("warm"))
	return errors.Join(err, c.Close())
}

// KeepWarm starts guardctl tunnels warm --loop on every node. stop ends them as
// systemd does, and says what was wrong with any.
func (c *Cluster) KeepWarm(ctx context.Context, journal io.Writer) (stop func() error, err error) {
	var loops []*exec.Cmd
	stop = func() error {
		var errs []error
		for i, cmd := range loops {
			_ = cmd.Process.Signal(syscall.SIGTERM)
			if err := cmd.Wait(); err != nil {
				errs = append(errs, fmt.Errorf("guardctl tunnels warm on %s: %w", c.Nodes[i].Name, err))
			}
		}
		return errors.Join(errs...)
	}
	for _, n := range c.Nodes {
		cmd := exec.CommandContext(ctx, filepath.Join(c.folders.Guard, "guardctl"), "tunnels", "warm", "--loop", "--state-dir", c.folders.stateDir(n))
		cmd.Stdout, cmd.Stderr = journal, journal
		if err := n.do(cmd.Start); err != nil {
			return nil, errors.Join(fmt.Errorf("start guardctl on %s: %w", n.Name, err), stop())
		}
		loops = append(loops, cmd)
	}
	return stop, nil
}
