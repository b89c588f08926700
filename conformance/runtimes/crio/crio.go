// SPDX-License-Identifier: Apache-2.0

// Package crio runs a real CRI-O with runc and conmon, through the CRI API as
// kubelet does. Its programs are those of scripts/crio.sh; runc and conmon are
// Debian's.
//
// CRI-O brings lo up itself and calls no plugin for it. It removes a pod with the
// configuration that its attachment cache holds, asks once, and takes the network
// for removed whatever the answer is.
package crio

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/runtimes"
	"github.com/cni-guard/cni-guard/conformance/runtimes/cri"
)

// socket is on a tmpfs that a reboot empties.
const socket = "/run/crio/crio.sock"

// A CRIO is a runtime.
type CRIO struct {
	*cri.Client
	site runtimes.Site

	settings runtimes.Settings

	prepare sync.Once
	cmd     *exec.Cmd
	began   time.Time // of the present process
	logged  int64     // size of the log before that
}

// New returns a CRI-O that is not running.
func New(site runtimes.Site) runtimes.Runtime {
	return &CRIO{site: site, Client: &cri.Client{Name: "CRI-O", Logs: site.Disk, Cgroup: site.Cgroup}}
}

// Set implements runtimes.Configurable.
func (c *CRIO) Set(s runtimes.Settings) { c.settings = s }

// Guard implements runtimes.Runtime.
func (c *CRIO) Guard() chain.Plugin {
	return chain.Plugin{"type": "cni-guard", "confDir": c.ConfDir()}
}

// DeletesAsMade implements runtimes.Runtime.
func (c *CRIO) DeletesAsMade() bool { return true }

// Start implements runtimes.Runtime.
func (c *CRIO) Start(ctx context.Context) error {
	var err error
	c.prepare.Do(func() { err = errors.Join(c.ownEtc(), c.importPause(ctx)) })
	if err == nil {
		err = c.configure()
	}
	if err == nil {
		err = c.launch()
	}
	if err == nil {
		err = c.Dial(ctx, socket)
	}
	if err != nil {
		return fmt.Errorf("start CRI-O: %w", err)
	}
	return nil
}

func (c *CRIO) launch() error {
	log, err := os.OpenFile(c.site.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	info, err := log.Stat()
	if err != nil {
		return err
	}
	c.began, c.logged = time.Now(), info.Size()
	c.cmd = exec.Command(filepath.Join(c.site.Programs, "crio"), c.flags()...)
	c.cmd.Stdout, c.cmd.Stderr = log, log
	c.cmd.Env = append(os.Environ(), c.environ()...)
	return c.cmd.Start()
}

// Kill implements runtimes.Runtime. What conmon watches stays, and so do the pins.
func (c *CRIO) Kill() error {
	if c.cmd == nil {
		return errors.New("kill CRI-O: it does not run")
	}
	_ = c.Close()
	if err := c.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill CRI-O: %w", err)
	}
	_ = c.cmd.Wait() // killed is what it should be
	c.cmd = nil
	return nil
}
