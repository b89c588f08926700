// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/conformance/runtimes"
)

// Reboot ends everything at once, empties /run, changes the boot ID and starts
// the runtime again. What is on disk stays. Each of meanwhile is called while the
// runtime does not run.
func (s *Rig) Reboot(ctx context.Context, meanwhile ...func() error) error {
	if err := s.Runtime.PowerOff(ctx); err != nil {
		return err
	}
	if err := emptyRun(); err != nil {
		return fmt.Errorf("reboot: %w", err)
	}
	if err := s.changeBootID(); err != nil {
		return fmt.Errorf("reboot: %w", err)
	}
	for _, do := range meanwhile {
		if err := do(); err != nil {
			return fmt.Errorf("reboot: %w", err)
		}
	}
	return s.Runtime.Start(ctx)
}

// RewriteCachedPath changes the path in libcni's note of a pod's attachment.
func (s *Rig) RewriteCachedPath(pod runtimes.Pod, path string) error {
	files, err := filepath.Glob("/var/lib/cni/results/*-" + pod.ID + "-*")
	if err != nil {
		return err
	}
	if len(files) != 1 {
		return fmt.Errorf("rewrite cached path of pod %s: libcni has %q of it", pod.Name, files)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		return fmt.Errorf("rewrite cached path of pod %s: %w", pod.Name, err)
	}
	note := map[string]any{}
	if err := json.Unmarshal(text, &note); err != nil {
		return fmt.Errorf("rewrite cached path of pod %s: %w", pod.Name, err)
	}
	note["netns"] = path
	if text, err = json.Marshal(note); err != nil {
		return fmt.Errorf("rewrite cached path of pod %s: %w", pod.Name, err)
	}
	return os.WriteFile(files[0], text, 0o600)
}

// emptyRun puts a fresh tmpfs in the place of the old. What was mounted below that
// goes with it.
func emptyRun() error {
	if err := unix.Unmount("/run", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount /run: %w", err)
	}
	if err := unix.Mount("tmpfs", "/run", "tmpfs", 0, "mode=0755"); err != nil {
		return fmt.Errorf("mount tmpfs on /run: %w", err)
	}
	return os.MkdirAll("/run/netns", 0o755)
}

// changeBootID shows every process of this node another boot ID.
func (s *Rig) changeBootID() error {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	text := fmt.Sprintf("%x-%x-%x-%x-%x\n", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
	file := filepath.Join(s.site.Disk, "boot_id")
	if err := os.WriteFile(file, []byte(text), 0o444); err != nil {
		return fmt.Errorf("change boot ID: %w", err)
	}
	if err := unix.Mount(file, "/proc/sys/kernel/random/boot_id", "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("change boot ID: %w", err)
	}
	return nil
}
