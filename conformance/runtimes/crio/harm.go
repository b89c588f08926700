// SPDX-License-Identifier: Apache-2.0

package crio

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/cni-guard/cni-guard/conformance/node"
	"github.com/cni-guard/cni-guard/conformance/runtimes"
)

// Lose is of runtimes.Runtime. CRI-O pins sandboxes; the pin is replaced.
func (c *CRIO) Lose(pod runtimes.Pod, namespace string) error {
	pin := node.Pin{Path: pod.Netns}
	return pin.PointAt(namespace)
}

// Remove is of runtimes.Runtime. Pods of before a boot are removed by CRI-O itself,
// in the background; it removes their entries in the attachment cache at last.
func (c *CRIO) Remove(ctx context.Context, pod runtimes.Pod) error {
	if err := c.Client.Remove(ctx, pod); err != nil {
		return err
	}
	return runtimes.Await(ctx, "CRI-O to remove the pod's network", func(context.Context) (bool, error) {
		left, err := filepath.Glob("/var/lib/cni/results/*-" + pod.ID + "-*")
		return len(left) == 0, err
	})
}

// KillSandbox is of runtimes.Runtime.
func (c *CRIO) KillSandbox(runtimes.Pod, string) error {
	return errors.New("kill sandbox: CRI-O runs no process for it (drop_infra_ctr)")
}

// PowerOff is of runtimes.Runtime.
func (c *CRIO) PowerOff(context.Context) error {
	if err := c.Kill(); err != nil {
		return fmt.Errorf("power off: %w", err)
	}
	// In this order nobody is left to tidy up behind the others.
	for _, program := range []string{"conmon", "pause"} {
		if err := killAll(program); err != nil {
			return fmt.Errorf("power off: %w", err)
		}
	}
	return nil
}

// Forget is of runtimes.Forgetter: what `crio wipe` does after an upgrade, and CRI-O
// itself where storage was not shut down cleanly.
func (c *CRIO) Forget() error {
	if err := os.RemoveAll(filepath.Join(c.site.Disk, "storage")); err != nil {
		return fmt.Errorf("forget pods: %w", err)
	}
	return c.importPause(context.Background())
}

// killAll kills the processes of that name. The node is a pid namespace of its own.
func killAll(program string) error {
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return err
	}
	for _, file := range files {
		arguments, err := os.ReadFile(file)
		if err != nil {
			continue // it ended meanwhile
		}
		name, _, _ := bytes.Cut(arguments, []byte{0})
		if filepath.Base(string(name)) != program {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil {
			return err
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("kill %s: %w", program, err)
		}
	}
	return nil
}
