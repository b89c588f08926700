// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/node"
)

// attempts is how often the runtime tries to remove the pod. kubelet would try
// for ever; nothing changes after the first time.
const attempts = 3

// play gives a pod a network, ends its process, lets a process of the node have
// its ID, and has the runtime remove the pod.
func play(ctx context.Context, ref, guard string) (outcome, error) {
	n, err := node.New()
	if err != nil {
		return outcome{}, err
	}
	defer n.Close()
	dir, err := os.MkdirTemp("", "cni-guard-demo-")
	if err != nil {
		return outcome{}, fmt.Errorf("play: %w", err)
	}
	defer os.RemoveAll(dir)
	r, err := newRuntime(dir, ref, guard)
	if err != nil {
		return outcome{}, err
	}
	pod, address, reused, err := lose(ctx, n, r)
	if err != nil {
		return outcome{}, err
	}
	defer reused.End() //nolint:errcheck // it ends with the node anyway

	o := outcome{Address: address}
	if o.Before, err = node.Look(n.Path); err != nil {
		return o, err
	}
	o.remove(ctx, r, pod)
	if o.After, err = node.Look(n.Path); err != nil {
		return o, err
	}
	held, err := chain.Leases(filepath.Join(dir, "leases"), pod)
	o.Leased = len(held) > 0
	return o, err
}

// newRuntime makes a runtime with a usual network; with a folder for guard it
// has our loopback, and the guard in the chain.
func newRuntime(dir, ref, guard string) (*chain.Runtime, error) {
	plugins := []chain.Plugin{chain.PTP(chain.HostLocal(filepath.Join(dir, "leases")))}
	if guard == "" {
		return chain.NewRuntime(dir, []string{ref}, io.Discard, "1.0.0", plugins...)
	}
	return chain.NewRuntime(dir, []string{guard, ref}, io.Discard, "1.0.0", append(plugins, chain.Guard(dir))...)
}

// lose gives a pod a network and loses its sandbox to a process of the node.
func lose(ctx context.Context, n *node.Node, r *chain.Runtime) (chain.Pod, string, *node.Process, error) {
	var pod chain.Pod
	sandbox, err := node.NewHolder()
	if err != nil {
		return pod, "", nil, err
	}
	pod = chain.Pod{ID: "web-0", Netns: sandbox.Path()}
	result, err := r.Add(ctx, pod)
	if err != nil {
		return pod, "", nil, errors.Join(err, sandbox.End())
	}
	progress("pod web-0 has %s; its sandbox is %s", chain.Address(result), pod.Netns)
	if err := errors.Join(sandbox.End(), n.AwaitGone(chain.NodeSide(result))); err != nil {
		return pod, "", nil, err
	}
	reused, err := node.Reuse(sandbox.PID)
	if err != nil {
		return pod, "", nil, err
	}
	progress("its process ended, and process %d is one of the node's now; the runtime removes the pod", reused.PID)
	return pod, chain.Address(result), reused, nil
}

// remove tries until the pod is gone or the attempts are.
func (o *outcome) remove(ctx context.Context, r *chain.Runtime, pod chain.Pod) {
	for !o.Complete && o.Attempts < attempts {
		removal := r.Remove(ctx, pod)
		o.Attempts++
		o.Complete = removal.Complete()
		if o.Attempts == 1 {
			o.Took = removal.Took
			o.Answer = answer(removal)
		}
	}
}

// answer is what a removal's errors say, or "".
func answer(r chain.Removal) string {
	if err := errors.Join(append(r.Said, r.Err)...); err != nil {
		return err.Error()
	}
	return ""
}

// progress tells what happens, on standard error: standard output is for JSON.
func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "  "+format+"\n", args...)
}
