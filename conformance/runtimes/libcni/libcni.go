// SPDX-License-Identifier: Apache-2.0

// Package libcni is the simplest runtime: libcni, driven in containerd's order
// and with its reading of errors, and sandboxes named /proc/PID/ns/net as
// cri-dockerd and old runtimes name them.
package libcni

import (
	"context"
	"fmt"
	"os"
	"sync"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/node"
	"github.com/cni-guard/cni-guard/conformance/runtimes"
)

// A Libcni is a runtime. There is no program that could be killed: what it knows
// of pods survives, as cri-dockerd's notes do.
type Libcni struct {
	site     runtimes.Site
	settings runtimes.Settings
	chain    *chain.Runtime
	log      *os.File

	mu   sync.Mutex
	pods map[string]*node.Process // by container ID
	off  []runtimes.Pod           // pods whose process ended with the machine
	runs map[string]runtimes.Pod
}

// New makes a runtime.
func New(site runtimes.Site) runtimes.Runtime {
	return &Libcni{site: site, pods: map[string]*node.Process{}, runs: map[string]runtimes.Pod{}}
}

// Guard implements runtimes.Runtime.
func (l *Libcni) Guard() chain.Plugin {
	guard := chain.Guard(l.site.Disk)
	delete(guard, "stateDir") // where a reboot empties it
	return guard
}

// Configure implements runtimes.Runtime.
func (l *Libcni) Configure(_ context.Context, version string, plugins ...chain.Plugin) error {
	if l.chain != nil {
		return l.chain.Configure(version, plugins...)
	}
	var err error
	if l.log, err = os.OpenFile(l.site.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return fmt.Errorf("configure libcni: %w", err)
	}
	l.chain, err = chain.NewRuntime(l.site.Disk, []string{l.site.Bin}, l.log, version, plugins...)
	if err == nil && l.settings.InternalLoopback {
		l.chain.InternalLoopback()
	}
	return err
}

// Set implements runtimes.Configurable.
func (l *Libcni) Set(s runtimes.Settings) { l.settings = s }

// DeletesAsMade implements runtimes.Runtime.
func (l *Libcni) DeletesAsMade() bool { return false }

// Start implements runtimes.Runtime. After a power-off the process IDs of former pods
// belong to processes of the node, as after a boot.
func (l *Libcni) Start(context.Context) error {
	for _, pod := range l.off {
		if err := l.reuse(pod, l.site.Node); err != nil {
			return fmt.Errorf("start libcni: %w", err)
		}
	}
	l.off = nil
	return nil
}

// Kill implements runtimes.Runtime.
func (l *Libcni) Kill() error { return nil }

// PowerOff implements runtimes.Runtime.
func (l *Libcni) PowerOff(context.Context) error {
	for id, process := range l.pods {
		if err := process.End(); err != nil {
			return fmt.Errorf("power off: %w", err)
		}
		l.off = append(l.off, l.runs[id])
	}
	return nil
}

// Run implements runtimes.Runtime.
func (l *Libcni) Run(ctx context.Context, name string) (runtimes.Pod, error) {
	process, err := node.NewHolder()
	if err != nil {
		return runtimes.Pod{}, fmt.Errorf("run pod %s: %w", name, err)
	}
	return l.add(ctx, runtimes.Pod{ID: name, Name: name, Netns: process.Path()}, process)
}

// RunInto implements runtimes.Misleader.
func (l *Libcni) RunInto(ctx context.Context, name, namespace string) (runtimes.Pod, error) {
	process, err := node.NewHolder() // for the pod to have one that ends with it
	if err != nil {
		return runtimes.Pod{}, fmt.Errorf("run pod %s: %w", name, err)
	}
	return l.add(ctx, runtimes.Pod{ID: name, Name: name, Netns: namespace}, process)
}

func (l *Libcni) add(ctx context.Context, pod runtimes.Pod, process *node.Process) (runtimes.Pod, error) {
	result, err := l.chain.Add(ctx, pod.Chain())
	if err != nil {
		// As every runtime does, so that nothing of a failed ADD is left.
		_ = l.chain.Remove(ctx, pod.Chain())
		_ = process.End()
		return pod, fmt.Errorf("run pod %s: %w", pod.Name, err)
	}
	pod.Address = chain.Address(result)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pods[pod.ID], l.runs[pod.ID] = process, pod
	return pod, nil
}

// Remove implements runtimes.Runtime: the network first, then the process.
func (l *Libcni) Remove(ctx context.Context, pod runtimes.Pod) error {
	removal := l.chain.Remove(ctx, pod.Chain())
	for _, err := range append(removal.Said, removal.Err) {
		if err != nil {
			fmt.Fprintf(l.log, "level=error remove pod %s: %v\n", pod.Name, err)
		}
	}
	if !removal.Complete() {
		return fmt.Errorf("remove pod %s: %w", pod.Name, removal.Err)
	}
	l.mu.Lock()
	process := l.pods[pod.ID]
	delete(l.pods, pod.ID)
	delete(l.runs, pod.ID)
	l.mu.Unlock()
	return process.End()
}

// Pods implements runtimes.Runtime.
func (l *Libcni) Pods(context.Context) ([]string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var ids []string
	for id := range l.pods {
		ids = append(ids, id)
	}
	return ids, nil
}

// Network implements runtimes.Runtime.
func (l *Libcni) Network(ctx context.Context) (bool, string, error) {
	if err := l.chain.Status(ctx); err != nil {
		return false, err.Error(), nil
	}
	return true, "", nil
}

// Lose implements runtimes.Runtime: the process ends, and another has its ID.
func (l *Libcni) Lose(pod runtimes.Pod, namespace string) error {
	return l.KillSandbox(pod, namespace)
}

// KillSandbox implements runtimes.Runtime.
func (l *Libcni) KillSandbox(pod runtimes.Pod, namespace string) error {
	l.mu.Lock()
	process := l.pods[pod.ID]
	l.mu.Unlock()
	if err := process.End(); err != nil {
		return fmt.Errorf("lose pod %s: %w", pod.Name, err)
	}
	return l.reuse(pod, namespace)
}

// reuse starts a process in the namespace that has the ID of the pod's former.
func (l *Libcni) reuse(pod runtimes.Pod, namespace string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return node.Within(namespace, func() error {
		process, err := node.Reuse(l.pods[pod.ID].PID)
		if err != nil {
			return fmt.Errorf("reuse the process ID of pod %s: %w", pod.Name, err)
		}
		l.pods[pod.ID] = process
		return nil
	})
}
