// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/node"
)

// removals is how often the runtime tries to remove the pod. kubelet would repeat it
// forever; nothing changes after the first time.
const removals = 3

// lostSandbox: the process ID of a sandbox is reused by a process of the node, so the
// namespace path of the DEL leads to the node.
func lostSandbox() incident {
	return incident{
		name:  "lost-sandbox",
		title: "A DEL whose path leads to the node",
		play: func(ctx context.Context, r *rig) error {
			on, err := r.runtime(chain.PTP(r.hostLocal()))
			if err != nil {
				return err
			}
			sandbox, err := node.NewHolder()
			if err != nil {
				return err
			}
			p := chain.Pod{ID: "web-0", Netns: sandbox.Path()}
			result, err := on.Add(ctx, p)
			if err != nil {
				return errors.Join(err, sandbox.End())
			}
			addr := chain.Address(result)
			r.event("pod web-0 starts with %s; its namespace is %s", addr, p.Netns)
			if err := errors.Join(sandbox.End(), r.node.AwaitGone(chain.NodeSide(result))); err != nil {
				return err
			}
			reused, err := node.Reuse(sandbox.PID)
			if err != nil {
				return err
			}
			defer reused.End() //nolint:errcheck // it ends with the node anyway
			r.event("the pod's process ends, and process %d is one of the node now; the runtime removes the pod", reused.PID)
			before, err := node.Look(r.node.Path)
			if err != nil {
				return err
			}
			complete := false
			for n := 1; n <= removals && !complete; n++ {
				removal := on.Remove(ctx, p)
				complete = removal.Complete()
				if n == 1 {
					r.event("the first DEL answers: %s", answer(removal))
				}
			}
			after, err := node.Look(r.node.Path)
			if err != nil {
				return err
			}
			leases, err := chain.Leases(filepath.Join(r.dir, "leases"), p)
			r.expect(after.LoUp, "the node's lo is up", "the node's lo is DOWN")
			r.expect(after == before || !after.LoUp && after.HasEth0 == before.HasEth0, "its eth0 is untouched", "its eth0 is DELETED")
			r.expect(len(leases) == 0, fmt.Sprintf("%s is free again", addr), fmt.Sprintf("%s stays allocated", addr))
			r.expect(complete, "the pod is gone", "the pod can NEVER be removed")
			return err
		},
	}
}

// answer returns what the plugins answered to a removal.
func answer(removal chain.Removal) string {
	if err := errors.Join(append(removal.Said, removal.Err)...); err != nil {
		return err.Error()
	}
	return "success"
}
