// SPDX-License-Identifier: Apache-2.0

// Package runtimes is what scenarios know of a container runtime. Each directory
// below it has a real one.
package runtimes

import (
	"context"

	"github.com/cni-guard/cni-guard/conformance/chain"
)

// A Pod is a sandbox that a runtime made.
type Pod struct {
	ID      string
	Name    string
	Netns   string // the path that plugins are given
	Address string
}

// Chain returns the pod as package chain knows it.
func (p Pod) Chain() chain.Pod { return chain.Pod{ID: p.ID, Netns: p.Netns} }

// A Runtime makes and removes pods on a private node. It is started once the
// network is configured.
type Runtime interface {
	// Start starts the runtime, or starts it again, and waits until it answers.
	Start(context.Context) error
	// Kill ends the runtime at once and leaves its pods running.
	Kill() error
	// PowerOff ends the runtime and every process of its pods at once.
	PowerOff(context.Context) error
	// Configure selects another network, and waits until it is in use.
	Configure(ctx context.Context, version string, plugins ...chain.Plugin) error
	// Guard returns the entry of the guard in the conflist.
	Guard() chain.Plugin

	// DeletesAsMade says whether a pod is deleted with the conflist that it was made
	// with, from the attachment cache, rather than with the present one.
	DeletesAsMade() bool

	// Run makes a pod.
	Run(ctx context.Context, name string) (Pod, error)
	// Ping executes a ping in one pod, to another.
	Ping(ctx context.Context, from, to Pod) error
	// Remove tries once to remove the pod; an error means to try again.
	Remove(context.Context, Pod) error
	// Pods returns the IDs of the pods that the runtime knows of.
	Pods(context.Context) ([]string, error)
	// Network says whether the runtime takes its network for ready, and why not.
	Network(context.Context) (ready bool, message string, err error)

	// Lose lets the pod's path lead to another namespace, in the way in which
	// that happens to this runtime.
	Lose(pod Pod, namespace string) error
	// KillSandbox kills the pod's sandbox process and, where the path follows
	// process IDs, lets a process of the namespace have its ID.
	KillSandbox(pod Pod, namespace string) error
}

// A Site is where a runtime keeps its things on its private node.
type Site struct {
	Node     string // path of the node's namespace
	Disk     string // directory that outlives a reboot
	Bin      string // directory of the plugins
	Log      string // file that the runtime writes its log to
	Cgroup   string // parent of all cgroups
	Pause    string // program that a sandbox runs
	Programs string // directory of the runtime's own programs, where it is not installed
}
