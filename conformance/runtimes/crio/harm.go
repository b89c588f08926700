// SPDX-License-Identifier: Apache-2.0

package crio

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/cni-guard/cni-guard/conformance/node"
	"github.com/cni-guard/cni-guard/conformance/runtimes"
)

// Lose implements runtimes.Runtime. CRI-O pins sandboxes; the pin is replaced.
func (c *CRIO) Lose(pod runtimes.Pod, namespace string) error {
	pin := node.Pin{Path: pod.Netns}
	return pin.PointAt(namespace)
}

// Remove implements runtimes.Runtime. Pods of before a boot are removed by CRI-O itself,
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

// KillSandbox implements runtimes.Runtime.
func (c *CRIO) KillSandbox(runtimes.Pod, string) error {
	return errors.New("kill sandbox: CRI-O runs no process for it (drop_infra_ctr)")
}

// PowerOff implements runtimes.Runtime.
func (c *CRIO) PowerOff(context.Context) error {
	if err := c.Kill(); err != nil {
		return fmt.Errorf("power off: %w", err)
	}
	// In this order no process is left that could clean up after the others.
	for _, program := range []string{"conmon", "pause"} {
		pids, err := runtimes.Processes(func(args []string) bool { return filepath.Base(args[0]) == program })
		if err == nil {
			err = runtimes.Kill(pids...)
		}
		if err != nil {
			return fmt.Errorf("power off: %w", err)
		}
	}
	return nil
}

// Forget implements runtimes.Forgetter: what `crio wipe` does after an upgrade, and CRI-O
// itself where storage was not shut down cleanly.
func (c *CRIO) Forget() error {
	if err := os.RemoveAll(filepath.Join(c.site.Disk, "storage")); err != nil {
		return fmt.Errorf("forget pods: %w", err)
	}
	return c.importPause(context.Background())
}
