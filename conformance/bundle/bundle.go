// SPDX-License-Identifier: Apache-2.0

// Package bundle has guardctl doctor judge bundles of broken nodes on another node, and
// compares what it says there with what it said on the node.
//
// The other node is an empty one: it has no file but guardctl and the bundle, neither /proc
// nor /sys, a network namespace of its own in which lo is down, and no runtime. So nothing
// of the verdict can come from the machine that judges.
package bundle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// A User judges a bundle.
type User uint32

// The users. Nobody is one who may read nothing of a node but what all may read.
const (
	Root   User = 0
	Nobody User = 65534
)

// Compare has users judge a bundle with that guardctl, and returns an error unless it says
// to each what doctor said on the node when the bundle was made. It returns the findings. A
// check that had no time on the node is left out: a busy machine is none of the bundle's.
func Compare(ctx context.Context, guardctl, file string, users ...User) ([]Finding, error) {
	node, err := Recorded(file)
	if err != nil {
		return nil, err
	}
	for _, user := range users {
		judged, err := judge(ctx, guardctl, file, user)
		if err != nil {
			return nil, err
		}
		elsewhere, err := Parse(judged)
		if err != nil {
			return nil, fmt.Errorf("judge %s: %w", file, err)
		}
		if different := node.differences(elsewhere); len(different) > 0 {
			return nil, fmt.Errorf("user %d gets another verdict from the bundle than the node has:\n%s", user, strings.Join(different, "\n"))
		}
	}
	return node.Findings(), nil
}

// judge runs guardctl doctor on an empty node and returns its report.
func judge(ctx context.Context, guardctl, file string, user User) ([]byte, error) {
	dir, err := os.MkdirTemp("", "judge-")
	if err != nil {
		return nil, fmt.Errorf("judge %s: %w", file, err)
	}
	defer os.RemoveAll(dir)
	content, err := os.ReadFile(file)
	if err == nil {
		err = errors.Join(os.Chmod(dir, 0o755), os.WriteFile(filepath.Join(dir, "bundle.tar.gz"), content, 0o644), place(guardctl, filepath.Join(dir, "guardctl")))
	}
	if err != nil {
		return nil, fmt.Errorf("judge %s: %w", file, err)
	}
	cmd := exec.CommandContext(ctx, "/guardctl", "doctor", "--bundle", "/bundle.tar.gz", "-o", "json")
	cmd.Dir, cmd.Env = "/", []string{}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: dir, Cloneflags: syscall.CLONE_NEWNET}
	if user != Root && !oneUser() {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(user), Gid: uint32(user)}
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if exit := new(exec.ExitError); err != nil && (!errors.As(err, &exit) || exit.ExitCode() > 2 || exit.ExitCode() < 0) {
		return nil, fmt.Errorf("run guardctl doctor --bundle: %w: %s", err, said.Bytes())
	}
	return out, nil
}

// oneUser reports whether this process can become no other user: it is in a user namespace
// that maps root alone, and outside of it is another user anyway.
func oneUser() bool {
	text, err := os.ReadFile("/proc/self/uid_map")
	fields := strings.Fields(string(text))
	return err == nil && len(fields) == 3 && fields[2] == "1"
}

// place makes a program appear under another path, as a link where that is possible.
func place(program, path string) error {
	if os.Link(program, path) == nil {
		return nil
	}
	content, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o755)
}

// Recorded returns what doctor said on the node when a bundle was made.
func Recorded(bundle string) (Report, error) {
	text, err := Member(bundle, "report.json")
	if err != nil {
		return nil, err
	}
	said, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("read report of %s: %w", bundle, err)
	}
	return said, nil
}

// Member returns a file of a bundle.
func Member(bundle, name string) ([]byte, error) {
	file, err := os.Open(bundle)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	zip, err := gzip.NewReader(file)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", bundle, err)
	}
	archive := tar.NewReader(zip)
	for {
		header, err := archive.Next()
		if err != nil {
			return nil, fmt.Errorf("find %s in %s: %w", name, bundle, err)
		}
		if header.Name == name {
			return io.ReadAll(archive)
		}
	}
}
