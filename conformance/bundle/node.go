// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A Node is one on which an incident has happened.
type Node struct {
	// Guardctl is the path of the program that judges the bundle, which the node need not
	// have installed.
	Guardctl string
	// Command is the command that runs guardctl on the node; nil for Guardctl, where this
	// process is on the node.
	Command []string
	// Flags of doctor and bundle say what is not where it is on other nodes.
	Flags []string
}

// Bounds of Judge. A node that changes, and a busy machine, may get another answer from
// each run of doctor for a while.
const (
	attempts = 10
	pause    = 500 * time.Millisecond
)

// Judge runs doctor on the node, makes a bundle of it, and has doctor judge the bundle on
// another node as another user. It is an error unless all three say the same of each check.
// Judge returns what they found.
func (n Node) Judge(ctx context.Context) ([]Finding, error) {
	dir, err := os.MkdirTemp("", "bundle-")
	if err != nil {
		return nil, fmt.Errorf("make bundle: %w", err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "bundle.tar.gz")
	for attempt := 1; ; attempt++ {
		text, err := n.run(ctx, "doctor", "-o", "json")
		if err != nil {
			return nil, err
		}
		live, err := Parse(text)
		if err != nil {
			return nil, fmt.Errorf("read report of doctor: %w", err)
		}
		content, err := n.run(ctx, "bundle", "-o", "-")
		if err == nil {
			err = os.WriteFile(file, content, 0o644)
		}
		if err != nil {
			return nil, fmt.Errorf("make bundle: %w", err)
		}
		found, err := Compare(ctx, n.Guardctl, file, Nobody)
		if err != nil {
			return nil, err
		}
		recorded, err := Recorded(file)
		if err != nil {
			return nil, err
		}
		different := live.outlines().differences(recorded.outlines())
		if len(different) == 0 {
			return found, nil
		}
		if attempt == attempts {
			return nil, fmt.Errorf("the bundle has another verdict than doctor:\n%s", strings.Join(different, "\n"))
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// run runs a command of guardctl with the flags of the node. Findings are no error.
func (n Node) run(ctx context.Context, command string, args ...string) ([]byte, error) {
	whole := n.Command
	if whole == nil {
		whole = []string{n.Guardctl}
	}
	whole = slices.Concat(whole, []string{command}, args, n.Flags)
	cmd := exec.CommandContext(ctx, whole[0], whole[1:]...)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if exit := new(exec.ExitError); err != nil && (!errors.As(err, &exit) || exit.ExitCode() > 2 || exit.ExitCode() < 0) {
		return nil, fmt.Errorf("run guardctl %s: %w: %s", command, err, said.String())
	}
	return out, nil
}
