// SPDX-License-Identifier: Apache-2.0

// Package selftest calls the installed plugins in a private node: network, mount and
// process namespaces of its own, in which every file system is read-only and the
// directories that plugins write to are empty and in memory. It shows what the plugins
// would do on the real node, and changes nothing there.
package selftest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// A Request says what to test. It is passed to the private node as JSON.
type Request struct {
	BinDirs []string // of the plugins, in the order in which they are searched
	Chain   *Chain   // a network of the node; nil: none

	// NoLoopback is why the runtime of this node calls no loopback plugin, so that the
	// steps for it are skipped. "" if it calls one, or is unknown.
	NoLoopback string

	Caller identity // the namespaces of the caller, in which no step may run
}

// An identity identifies the namespaces of a process.
type identity struct{ Net, Mount namespace }

type namespace struct{ Dev, Ino uint64 }

// errNotPrivate keeps the steps from running on a real node.
var errNotPrivate = errors.New("these are the namespaces of the node itself; run guardctl verify, which makes private ones")

// ownIdentity returns the namespaces of this process.
func ownIdentity() (identity, error) {
	var id identity
	for path, to := range map[string]*namespace{"/proc/self/ns/net": &id.Net, "/proc/self/ns/mnt": &id.Mount} {
		var st syscall.Stat_t
		if err := syscall.Stat(path, &st); err != nil {
			return id, fmt.Errorf("identify namespace %s: %w", path, err)
		}
		*to = namespace{st.Dev, st.Ino}
	}
	return id, nil
}

// requirePrivate returns an error if this process is in one of the caller's namespaces,
// or if the request does not name them.
func (r Request) requirePrivate() error {
	own, err := ownIdentity()
	switch {
	case err != nil:
		return err
	case r.Caller.Net.Ino == 0 || r.Caller.Mount.Ino == 0:
		return errNotPrivate
	case own.Net == r.Caller.Net || own.Mount == r.Caller.Mount:
		return errNotPrivate
	}
	return nil
}

// Validate returns an error if a plugin directory does not exist: a typo must not look
// like plugins that are not installed.
func (r Request) Validate() error {
	if len(r.BinDirs) == 0 {
		return errors.New("no plugin directory is given")
	}
	for _, dir := range r.BinDirs {
		info, err := os.Stat(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("directory %s does not exist", dir)
		case err != nil:
			return fmt.Errorf("check plugin directory: %w", err)
		case !info.IsDir():
			return fmt.Errorf("%s is not a directory", dir)
		}
	}
	return nil
}

// A State is the outcome of a step.
type State string

// The states. Only Failed is a finding. Unclear proves nothing.
const (
	OK      State = "ok"
	Failed  State = "failed"
	Skipped State = "skipped"
	Unclear State = "could not tell"
)

// A Result is the result of a step.
type Result struct {
	Step  string `json:"step"`
	State State  `json:"state"`
	Saw   string `json:"saw"`             // what happened, or why it was skipped
	Means string `json:"means,omitempty"` // the consequence for the node, and what to do
}

// The constructors of results leave out the name of the step, which Inside adds.
func ok(means, format string, args ...any) Result {
	return Result{State: OK, Saw: fmt.Sprintf(format, args...), Means: means}
}

func failed(means, format string, args ...any) Result {
	return Result{State: Failed, Saw: fmt.Sprintf(format, args...), Means: means}
}

func skipped(format string, args ...any) Result {
	return Result{State: Skipped, Saw: fmt.Sprintf(format, args...)}
}

func unclear(means, format string, args ...any) Result {
	return Result{State: Unclear, Saw: fmt.Sprintf(format, args...), Means: means}
}

// Verdict returns Failed if any result is, else Unclear if any is, else OK.
func Verdict(results []Result) State {
	verdict := OK
	for _, r := range results {
		if r.State == Failed {
			return Failed
		}
		if r.State == Unclear {
			verdict = Unclear
		}
	}
	return verdict
}

// An Observer is called when each step begins and ends.
type Observer struct {
	Begin func(step string)
	End   func(Result)
}

// Inside reads the request from Start, sets up the private node in the namespaces that
// Start created, and runs the steps there.
func Inside(ctx context.Context, stdin io.Reader, o Observer) error {
	var r Request
	if err := json.NewDecoder(stdin).Decode(&r); err != nil {
		return fmt.Errorf("%w: read request: %w", errNotPrivate, err)
	}
	if err := r.requirePrivate(); err != nil {
		return err
	}
	if err := prepare(r); err != nil {
		return fmt.Errorf("%w: %w", ErrNoNamespaces, err)
	}
	rig := newRig(r)
	for _, s := range steps(r) {
		o.Begin(s.name)
		result := s.run(ctx, rig)
		result.Step = s.name
		o.End(result)
	}
	return nil
}

func prepare(r Request) error {
	var keep []string
	for _, dir := range r.BinDirs {
		if path, err := filepath.Abs(dir); err == nil {
			keep = append(keep, path)
		}
	}
	if err := privatize(keep, r.Chain.needs()); err != nil {
		return err
	}
	// The plugins inherit the environment.
	for name, value := range map[string]string{"TMPDIR": workDir, "CNI_NETNS_OVERRIDE": "", "CNI_ARGS": ""} {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return setNodeLoUp()
}

// A step tries one thing.
type step struct {
	name string
	run  func(context.Context, *rig) Result
}

func steps(r Request) []step {
	all := []step{
		{"cni-guard is installed", guardInstalled},
		{"guardctl is installed beside it", guardctlInstalled},
		{"cni-guard passes a result on", passesResult},
		{"a pod starts and stops", podStartsAndStops},
		{"a pod whose path leads to the node is removed", lostPod},
		{"loopback brings up a pod's lo", loopbackAdd},
		{"loopback leaves the node's lo up", loopbackDel},
	}
	if r.Chain != nil {
		all = append(all,
			step{"the chain ends with cni-guard", guardEndsChain},
			step{"the chain's plugins are installed", chainInstalled},
			step{"the configuration of cni-guard in the chain", chainConfigured},
			step{"a pod of the chain starts and stops", chainPodStartsAndStops},
			step{"a pod of the chain whose path leads to the node is removed", lostChainPod},
		)
	}
	return all
}
