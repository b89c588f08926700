// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"errors"
	"io/fs"
	"slices"

	"github.com/cni-guard/cni-guard/pkg/guard"
)

// blockedOnNode judges by the pods on record: a node that routes none need not
// forward. STATUS asks for the pods only where something is 0.
func (t *Target) blockedOnNode(ctx context.Context) ([]blocked, error) {
	suspects, err := t.suspects()
	if err != nil || len(suspects) == 0 && !t.Thorough {
		return nil, err
	}
	ends, err := t.recordedEnds(ctx)
	if err != nil {
		return nil, err
	}
	all, skip := t.blockedForAll(ends)
	if skip != nil && (!guard.Skips(skip) || len(all) == 0) {
		return all, skip
	}
	direct := slices.ContainsFunc(ends, func(e nodeEnd) bool { return e.Master == 0 && e.has(false) })
	has := func(sysctl string) bool {
		return slices.ContainsFunc(all, func(b blocked) bool { return b.sysctl == sysctl })
	}
	if slices.Contains(suspects, newForward) && !slices.Contains(suspects, ipForward) {
		// The interfaces of pods on a bridge need not forward, but a bridge that is
		// recreated must.
		all = append(all, blocked{sysctl: newForward, object: "node", impact: "interfaces of new pods begin without forwarding, although ip_forward = 1", minor: !direct})
	}
	if !t.Thorough || has(ipForward) {
		return all, nil
	}
	paths, err := t.blockedPaths(ends)
	return append(all, paths...), err
}

// suspects returns the sysctls of the node that are 0. For IPv6 that is usual, and only
// a thorough run asks whether a pod needs it; one that is not there is none, as a
// kernel without IPv6 has no /proc/sys/net/ipv6.
func (t *Target) suspects() ([]string, error) {
	var zero []string
	for _, name := range []string{ipForward, newForward, ip6ForwardTo} {
		value, err := t.Node.Sysctl(name)
		if name == ip6ForwardTo && (!t.Thorough || errors.Is(err, fs.ErrNotExist)) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if value == "0" {
			zero = append(zero, name)
		}
	}
	return zero, nil
}

// blockedForAll returns what is in the way of the pods, each sysctl once. The error is
// guard.Skip's where the node routes none of them.
func (t *Target) blockedForAll(ends []nodeEnd) ([]blocked, error) {
	var all []blocked
	var skip error
	routed := false
	for _, end := range ends {
		some, err := t.blockedFor(end)
		if guard.Skips(err) {
			skip = err
			continue
		}
		if errors.Is(err, fs.ErrNotExist) {
			continue // the pod has ended meanwhile
		}
		if err != nil {
			return all, err
		}
		routed = true
		for _, b := range some {
			if !slices.ContainsFunc(all, func(had blocked) bool { return had.sysctl == b.sysctl }) {
				all = append(all, b)
			}
		}
	}
	if routed {
		skip = nil
	}
	return all, skip
}

// blockedPaths looks at the interfaces by which packets come back to the pods.
func (t *Target) blockedPaths(ends []nodeEnd) ([]blocked, error) {
	if t.ReturnPaths == nil || !slices.ContainsFunc(ends, func(e nodeEnd) bool { return e.has(false) }) {
		return nil, nil
	}
	paths, err := t.ReturnPaths()
	if err != nil {
		return nil, err
	}
	var all []blocked
	for _, p := range paths {
		value, err := t.Node.Sysctl(forwardingOf(p.Link))
		if errors.Is(err, fs.ErrNotExist) {
			continue // it is gone meanwhile
		}
		if err != nil {
			return all, err
		}
		if value != "0" {
			continue
		}
		impact := "what answers pods from outside does not reach them"
		if p.Tunnel {
			impact = "what comes from pods of other nodes does not reach those of this one"
		}
		all = append(all, blocked{sysctl: forwardingOf(p.Link), object: "node/" + p.Link, impact: impact})
	}
	return all, nil
}
