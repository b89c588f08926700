// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// netnsDir is where runtimes pin sandboxes; here it is in memory.
const netnsDir = "/run/netns"

// nodePath leads every plugin to the private node, as a path that went stale
// leads it to the real one.
const nodePath = "/proc/self/ns/net"

// pin makes a sandbox and pins it by a mount, as containerd and CRI-O do. It
// goes with the private node.
func pin(name string) (path string, err error) {
	path = filepath.Join(netnsDir, name)
	pid, stop, err := hold()
	if err != nil {
		return "", fmt.Errorf("make sandbox: %w", err)
	}
	defer func() { err = errors.Join(err, stop()) }()
	if err := os.WriteFile(path, nil, 0o444); err != nil {
		return "", fmt.Errorf("pin sandbox: %w", err)
	}
	if err := unix.Mount(fmt.Sprintf("/proc/%d/ns/net", pid), path, "", unix.MS_BIND, ""); err != nil {
		return "", fmt.Errorf("pin sandbox: %w", err)
	}
	return path, nil
}

// unpin lets the sandbox end, as it has where its path leads elsewhere.
func unpin(path string) error {
	if err := unix.Unmount(path, unix.MNT_DETACH); err != nil {
		return fmt.Errorf("end sandbox: %w", err)
	}
	return nil
}

// nodeLoUp reports whether lo of the private node is up.
func nodeLoUp() (bool, error) {
	node, err := netstate.OpenNode()
	if err != nil {
		return false, err
	}
	defer node.Close()
	return loUp(node)
}

// sandboxLoUp reports whether lo of the sandbox is up.
func sandboxLoUp(path string) (bool, error) {
	sandbox := netstate.OpenNetns(path)
	defer sandbox.Close()
	view, err := sandbox.View()
	if err != nil {
		return false, err
	}
	defer view.Close()
	return loUp(view)
}

func loUp(view netstate.View) (bool, error) {
	lo, err := view.Link("lo")
	return lo.Up, err
}

// setNodeLoUp returns the private node the lo that every node has.
func setNodeLoUp() error {
	node, err := netstate.OpenNode()
	if err != nil {
		return err
	}
	defer node.Close()
	return node.SetUp("lo")
}
