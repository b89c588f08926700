// SPDX-License-Identifier: Apache-2.0

// Package containerd runs a real containerd with runc, through the CRI API as
// kubelet does. It needs the Debian packages containerd and runc.
package containerd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/runtimes"
	"github.com/cni-guard/cni-guard/conformance/runtimes/cri"
)

// stateDir is on a tmpfs that a reboot empties.
const stateDir = "/run/containerd"

// A Containerd is a runtime.
type Containerd struct {
	site   runtimes.Site
	config string // its configuration file's text

	settings runtimes.Settings

	*cri.Client
	cmd *exec.Cmd
}

// New1 makes Debian's containerd 1.6.
func New1(site runtimes.Site) runtimes.Runtime {
	return newContainerd(site, config1)
}

// New2 makes the containerd 2 whose programs are in the site's directory.
func New2(site runtimes.Site) runtimes.Runtime {
	return newContainerd(site, config2)
}

func newContainerd(site runtimes.Site, config string) *Containerd {
	return &Containerd{
		site: site, config: config,
		Client: &cri.Client{Name: "containerd", Logs: site.Disk, Cgroup: site.Cgroup},
	}
}

// Set implements runtimes.Configurable. containerd 1.6 has none of the options.
func (c *Containerd) Set(s runtimes.Settings) { c.settings = s }

func (c *Containerd) socket() string  { return filepath.Join(stateDir, "containerd.sock") }
func (c *Containerd) confDir() string { return filepath.Join(c.site.Disk, "net.d") }

// Guard implements runtimes.Runtime. All directories but one are where the guard expects
// them on any node with containerd.
func (c *Containerd) Guard() chain.Plugin {
	return chain.Plugin{"type": "cni-guard", "confDir": c.confDir()}
}

// DeletesAsMade implements runtimes.Runtime.
func (c *Containerd) DeletesAsMade() bool { return false }

// Start implements runtimes.Runtime.
func (c *Containerd) Start(ctx context.Context) error {
	if err := c.prepare(); err != nil {
		return fmt.Errorf("start containerd: %w", err)
	}
	if err := c.launch(); err != nil {
		return fmt.Errorf("start containerd: %w", err)
	}
	if err := c.Dial(ctx, c.socket()); err != nil {
		return fmt.Errorf("start containerd: %w", err)
	}
	if err := c.importPause(ctx); err != nil {
		return fmt.Errorf("start containerd: %w", err)
	}
	return nil
}

// prepare writes what containerd reads at its start.
func (c *Containerd) prepare() error {
	// On a machine with cgroups of both versions runc would take the empty one.
	// Elsewhere there is nothing to unmount. The mounts are this node's own.
	_ = syscall.Unmount("/sys/fs/cgroup/unified", 0)
	if err := os.MkdirAll(stateDir, 0o711); err != nil {
		return err
	}
	return os.WriteFile(c.configFile(), []byte(c.renderConfig()), 0o600)
}

func (c *Containerd) configFile() string { return filepath.Join(c.site.Disk, "config.toml") }

func (c *Containerd) launch() error {
	log, err := os.OpenFile(c.site.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	program := "containerd"
	if c.site.Programs != "" {
		program = filepath.Join(c.site.Programs, "containerd")
	}
	c.cmd = exec.Command(program, "--config", c.configFile())
	c.cmd.Stdout, c.cmd.Stderr = log, log
	// The shim is found beside containerd before anywhere else.
	c.cmd.Env = append(os.Environ(), "PATH="+c.site.Programs+":"+os.Getenv("PATH"))
	return c.cmd.Start()
}

// Kill implements runtimes.Runtime. The shims and what they run stay.
func (c *Containerd) Kill() error {
	if c.cmd == nil {
		return errors.New("kill containerd: it does not run")
	}
	_ = c.Close()
	if err := c.cmd.Process.Kill(); err != nil {
		return fmt.Errorf("kill containerd: %w", err)
	}
	_ = c.cmd.Wait() // killed is what it should be
	c.cmd = nil
	return nil
}
