// SPDX-License-Identifier: Apache-2.0

package node

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// pinDir is where runtimes pin sandboxes. It is private to scripts/in-node.
const pinDir = "/run/netns"

// A Pin is a sandbox that a bind mount keeps alive, as containerd and CRI-O do.
type Pin struct {
	Path string
}

// NewPin makes a sandbox and pins it under the name.
func NewPin(name string) (*Pin, error) {
	ns, err := newNamespace()
	if err != nil {
		return nil, fmt.Errorf("pin sandbox: %w", err)
	}
	defer ns.Close()
	p := &Pin{Path: filepath.Join(pinDir, name)}
	if err := os.WriteFile(p.Path, nil, 0o444); err != nil {
		return nil, fmt.Errorf("pin sandbox: %w", err)
	}
	if err := bind(fmt.Sprintf("/proc/self/fd/%d", int(ns)), p.Path); err != nil {
		return nil, fmt.Errorf("pin sandbox: %w", err)
	}
	return p, nil
}

// Unmount takes the mount away and leaves the empty file that it covered.
func (p *Pin) Unmount() error {
	if err := unix.Unmount(p.Path, unix.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount %s: %w", p.Path, err)
	}
	return nil
}

// Remove takes away the mount, where there is one, and the file.
func (p *Pin) Remove() error {
	_ = unix.Unmount(p.Path, unix.MNT_DETACH) // EINVAL where it was unmounted before
	if err := os.Remove(p.Path); err != nil {
		return fmt.Errorf("remove pin: %w", err)
	}
	return nil
}

// PointAt lets the path lead to another namespace, which the pod's own does not
// outlive unless something else holds it.
func (p *Pin) PointAt(netns string) error {
	if err := p.Unmount(); err != nil {
		return err
	}
	if err := bind(netns, p.Path); err != nil {
		return fmt.Errorf("point %s at another namespace: %w", p.Path, err)
	}
	return nil
}

func bind(from, to string) error {
	if err := unix.Mount(from, to, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind %s over %s: %w", from, to, err)
	}
	return nil
}

// newNamespace makes a network namespace on a thread that is thrown away.
func newNamespace() (netns.NsHandle, error) {
	type made struct {
		ns  netns.NsHandle
		err error
	}
	done := make(chan made)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		ns, err := netns.New()
		done <- made{ns, err}
	}()
	m := <-done
	if m.err != nil {
		return m.ns, fmt.Errorf("make network namespace: %w", m.err)
	}
	return m.ns, nil
}
