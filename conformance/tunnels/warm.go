// SPDX-License-Identifier: Apache-2.0

package tunnels

import (
	"errors"
	"fmt"
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

// KeepWarm starts guardctl tunnels warm --loop on every node, and on those that
// come.
func (c *Cluster) KeepWarm() error {
	for _, n := range c.Nodes {
		if err := c.loop(n); err != nil {
			return errors.Join(err, c.StopWarm())
		}
	}
	return nil
}

func (c *Cluster) loop(n *Node) error {
	cmd := exec.Command(filepath.Join(c.folders.Guard, "guardctl"), "tunnels", "warm", "--loop", "--state-dir", c.folders.stateDir(n))
	cmd.Stdout, cmd.Stderr = c.journal, c.journal
	if err := n.do(cmd.Start); err != nil {
		return fmt.Errorf("start guardctl on %s: %w", n.Name, err)
	}
	c.loops = append(c.loops, cmd)
	return nil
}

// StopWarm ends the loops as systemd does, and says what was wrong with any.
func (c *Cluster) StopWarm() error {
	var errs []error
	for _, cmd := range c.loops {
		errs = append(errs, cmd.Process.Signal(syscall.SIGTERM))
	}
	for i, cmd := range c.loops {
		if err := cmd.Wait(); err != nil {
			errs = append(errs, fmt.Errorf("guardctl tunnels warm on %s: %w", c.Nodes[i].Name, err))
		}
	}
	c.loops = nil
	return errors.Join(errs...)
}
