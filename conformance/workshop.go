// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/report"
)

// cacheDir is where libcni inside containerd keeps its cache, whatever it is
// told. A cell mounts a tmpfs there, which needs a directory to be mounted on.
const cacheDir = "/var/lib/cni"

// patience is for one run of one scenario.
const patience = 3 * time.Minute

// A workshop runs cells, and leaves nothing of them behind.
type workshop struct {
	self   string
	inNode string
	flags  []string
	dir    string // temporary
	made   bool   // cacheDir was not there before
}

func newWorkshop(f locations) (*workshop, error) {
	flags, err := f.args()
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find own program: %w", err)
	}
	inNode, err := filepath.Abs(f.inNode)
	if err != nil {
		return nil, fmt.Errorf("find in-node: %w", err)
	}
	dir, err := os.MkdirTemp("", "cni-guard-conformance-")
	if err != nil {
		return nil, fmt.Errorf("make temporary folder: %w", err)
	}
	// The root of a pod with a user namespace is nobody here, and comes through.
	if err := os.Chmod(dir, 0o711); err != nil {
		return nil, fmt.Errorf("make temporary folder: %w", err)
	}
	w := &workshop{self: self, inNode: inNode, flags: flags, dir: dir}
	if err := os.Mkdir(cacheDir, 0o700); err == nil {
		w.made = true
	} else if !errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("make mount point: %w", err)
	}
	return w, nil
}

func (w *workshop) close() {
	_ = os.RemoveAll(w.dir)
	if w.made {
		_ = os.Remove(cacheDir)
	}
}

// cell plays a scenario once, in a private node of its own that ends with it,
// and has the outcome judged. With bundled, guardctl doctor must find the same on the node
// as in a bundle of it.
func (w *workshop) cell(ctx context.Context, scenario, runtime string, guarded, bundled bool, judge func([]claim.Sighting, error) claim.Verdict) report.Run {
	began := time.Now()
	log := filepath.Join(w.dir, "log")
	cgroup := fmt.Sprintf("cni-guard-conformance-%d", os.Getpid())
	o, err := w.start(ctx, patience, "-scenario", scenario, "-runtime", runtime,
		fmt.Sprintf("-guarded=%t", guarded), fmt.Sprintf("-bundle=%t", bundled), "-log", log, "-cgroup", "/"+cgroup)
	// Its processes have ended with their pid namespace, its mounts and sockets
	// with their mount namespace. Control groups are the machine's.
	if left := removeCgroups("/sys/fs/cgroup", cgroup); left != nil {
		err = errors.Join(err, left)
	}
	run := report.Run{Verdict: judge(o.Sightings, err), Sightings: o.Sightings, Doctor: o.Doctor, Took: time.Since(began)}
	if run.Word == claim.Broken {
		if text, err := os.ReadFile(log); err == nil {
			run.Log = report.Relevant(string(text))
		}
	}
	_ = os.Remove(log)
	return run
}

// start runs this program as a cell and waits for its outcome.
func (w *workshop) start(ctx context.Context, patience time.Duration, args ...string) (outcome, error) {
	var o outcome
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("it did not end within %s", patience))
	defer cancel()
	scratch := filepath.Join(w.dir, "scratch")
	if err := os.MkdirAll(scratch, 0o755); err != nil {
		return o, err
	}
	command := append([]string{w.self, "play", "-scratch", scratch}, append(w.flags, args...)...)
	cmd := exec.CommandContext(ctx, w.inNode, command...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	// What outlives its node would keep its output open.
	cmd.WaitDelay = 10 * time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if ctx.Err() != nil {
		return o, context.Cause(ctx)
	}
	if err != nil {
		return o, fmt.Errorf("%w: %s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	if err := json.Unmarshal(stdout.Bytes(), &o); err != nil {
		return o, fmt.Errorf("read outcome: %w", err)
	}
	if o.Failure != "" {
		return o, errors.New(o.Failure)
	}
	return o, nil
}
