// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/runtimes"
)

// An Answer is what guardctl said, and how it ended.
type Answer struct {
	Code int
	Text string // both streams, each white space as one blank
}

// Says reports whether all of the words are in the answer.
func (a Answer) Says(words ...string) bool {
	for _, word := range words {
		if !strings.Contains(a.Text, word) {
			return false
		}
	}
	return true
}

// String is for details of sightings.
func (a Answer) String() string { return fmt.Sprintf("exit code %d: %s", a.Code, a.Text) }

// Guardctl runs the operator's command as it is installed.
func (s *Rig) Guardctl(ctx context.Context, args ...string) (Answer, error) {
	return run(ctx, filepath.Join(s.site.Bin, "guardctl"), args...)
}

// Release returns back what a pod holds that the runtime knows no more.
func (s *Rig) Release(ctx context.Context, pod runtimes.Pod) (Answer, error) {
	return s.Guardctl(ctx, "release", "--network", chain.Name, "--container-id", pod.ID)
}

// run waits for a program. An exit code is an answer, no error.
func run(ctx context.Context, program string, args ...string) (Answer, error) {
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if exit := new(exec.ExitError); errors.As(err, &exit) && exit.Exited() {
		err = nil
	}
	if err != nil {
		return Answer{}, fmt.Errorf("run guardctl %s: %w: %s", strings.Join(args, " "), err, out.Bytes())
	}
	return Answer{cmd.ProcessState.ExitCode(), strings.Join(strings.Fields(out.String()), " ")}, nil
}
