// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/cni-guard/cni-guard/conformance/runtimes"
)

// StartAgent starts the agent with the profile repair and these flags, and waits until it
// has looked at everything once. It ends with the node.
func (s *Rig) StartAgent(ctx context.Context, flags ...string) error {
	log, err := os.OpenFile(s.AgentLog(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("start agent: %w", err)
	}
	defer log.Close()
	cmd := exec.CommandContext(ctx, filepath.Join(s.folders.Guard, "cni-guard-agent"), append([]string{
		"--profile", "repair", "--kubernetes", "off",
		"--runtime", s.Product(), "--conf-dir", s.selector().ConfDir(), "--bin-dir", s.site.Bin,
		"--record-dir", filepath.Join(s.site.Disk, "record"),
	}, flags...)...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start agent: %w", err)
	}
	return runtimes.Await(ctx, "the agent's first look", func(ctx context.Context) (bool, error) {
		answer, err := run(ctx, filepath.Join(s.folders.Guard, "guardctl"), "status")
		// A check that could not tell on a busy machine is no reason to wait.
		return err == nil && answer.Says("full looks, the last"), err
	})
}

// AgentLog is the file of what the agent reports.
func (s *Rig) AgentLog() string { return filepath.Join(s.site.Disk, "agent.log") }
