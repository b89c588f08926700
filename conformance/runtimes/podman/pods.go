// SPDX-License-Identifier: Apache-2.0

package podman

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/node"
	"github.com/cni-guard/cni-guard/conformance/runtimes"
)

// Configure implements runtimes.Runtime. Every command reads the file again.
func (p *Podman) Configure(_ context.Context, version string, plugins ...chain.Plugin) error {
	text, err := json.Marshal(map[string]any{"cniVersion": version, "name": chain.Name, "plugins": plugins})
	if err != nil {
		return fmt.Errorf("configure podman: %w", err)
	}
	if err := os.MkdirAll(p.confDir(), 0o755); err != nil {
		return fmt.Errorf("configure podman: %w", err)
	}
	file := filepath.Join(p.confDir(), "10-pods.conflist")
	if err := os.WriteFile(file+".new", text, 0o644); err != nil {
		return fmt.Errorf("configure podman: %w", err)
	}
	return os.Rename(file+".new", file)
}

// Run implements runtimes.Runtime. Each container has a root directory of its own, as
// podman writes into it.
func (p *Podman) Run(ctx context.Context, name string) (runtimes.Pod, error) {
	return p.run(ctx, name)
}

// RunInUserNamespace implements runtimes.UserNamespacer.
func (p *Podman) RunInUserNamespace(ctx context.Context, name string) (runtimes.Pod, error) {
	const first = 200_000
	// runc makes the mount points as the container's root.
	for _, dir := range []string{"", "etc", "run"} {
		dir = filepath.Join(p.root(name), dir)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return runtimes.Pod{}, fmt.Errorf("run pod %s: %w", name, err)
		}
		if err := os.Chown(dir, first, first); err != nil {
			return runtimes.Pod{}, fmt.Errorf("run pod %s: %w", name, err)
		}
	}
	ids := fmt.Sprintf("0:%d:65536", first)
	return p.run(ctx, name, "--uidmap", ids, "--gidmap", ids)
}

func (p *Podman) run(ctx context.Context, name string, options ...string) (runtimes.Pod, error) {
	pod := runtimes.Pod{Name: name}
	root := p.root(name)
	if err := p.fill(root); err != nil {
		return pod, fmt.Errorf("run pod %s: %w", name, err)
	}
	args := append([]string{"run", "--detach", "--name", name, "--network", chain.Name,
		"--cgroup-parent", p.site.Cgroup, "--security-opt", "seccomp=unconfined"}, options...)
	id, err := p.podman(ctx, append(args, "--rootfs", root, "/pause")...)
	if err != nil {
		// podman keeps a container that it could not start.
		_, removal := p.podman(ctx, "rm", "--force", "--time", "0", name)
		return pod, fmt.Errorf("run pod %s: %w", name, errors.Join(err, removal))
	}
	pod.ID = id
	const format = `{{.NetworkSettings.SandboxKey}} {{(index .NetworkSettings.Networks "` + chain.Name + `").IPAddress}}`
	facts, err := p.podman(ctx, "inspect", "--format", format, id)
	if err != nil {
		return pod, fmt.Errorf("run pod %s: %w", name, err)
	}
	var found bool
	if pod.Netns, pod.Address, found = strings.Cut(facts, " "); !found {
		return pod, fmt.Errorf("run pod %s: podman says %q of it", name, facts)
	}
	return pod, nil
}

func (p *Podman) root(name string) string { return filepath.Join(p.site.Disk, "rootfs", name) }

func (p *Podman) fill(root string) error {
	if err := os.MkdirAll(root, 0o755); err != nil {
		return err
	}
	program, err := os.ReadFile(p.site.Pause)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(root, "pause"), program, 0o755)
}

// Ping implements runtimes.Runtime.
func (p *Podman) Ping(ctx context.Context, from, to runtimes.Pod) error {
	_, err := p.podman(ctx, "exec", from.ID, "/pause", "ping", to.Address)
	return err
}

// Remove implements runtimes.Runtime.
func (p *Podman) Remove(ctx context.Context, pod runtimes.Pod) error {
	_, err := p.podman(ctx, "rm", "--force", "--time", "0", pod.ID)
	return err
}

// Pods implements runtimes.Runtime.
func (p *Podman) Pods(ctx context.Context) ([]string, error) {
	ids, err := p.podman(ctx, "ps", "--all", "--no-trunc", "--quiet")
	return strings.Fields(ids), err
}

// Network implements runtimes.Runtime. podman never asks whether its network works.
func (p *Podman) Network(context.Context) (bool, string, error) { return true, "", nil }

// Lose implements runtimes.Runtime. podman pins sandboxes; the pin is replaced.
func (p *Podman) Lose(pod runtimes.Pod, namespace string) error {
	pin := node.Pin{Path: pod.Netns}
	return pin.PointAt(namespace)
}

// KillSandbox implements runtimes.Runtime. No process ID leads to or from a pin.
func (p *Podman) KillSandbox(pod runtimes.Pod, _ string) error {
	ctx := context.Background()
	if err := p.kill(ctx, pod.ID, "{{.State.Pid}}"); err != nil {
		return fmt.Errorf("kill sandbox: %w", err)
	}
	return runtimes.Await(ctx, "podman to see that the container ended", func(ctx context.Context) (bool, error) {
		status, err := p.podman(ctx, "inspect", "--format", "{{.State.Status}}", pod.ID)
		return status != "running", err
	})
}

// kill kills the process that the format names of the container.
func (p *Podman) kill(ctx context.Context, id, format string) error {
	text, err := p.podman(ctx, "inspect", "--format", format, id)
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(text)
	if err != nil || pid <= 1 {
		return fmt.Errorf("container %s has the process %q", id, text)
	}
	return syscall.Kill(pid, syscall.SIGKILL)
}

// Kill implements runtimes.Runtime: there is no daemon.
func (p *Podman) Kill() error { return nil }

// PowerOff implements runtimes.Runtime: the monitors first, so that nobody is left to
// tidy up behind the containers.
func (p *Podman) PowerOff(ctx context.Context) error {
	ids, err := p.Pods(ctx)
	if err != nil {
		return fmt.Errorf("power off: %w", err)
	}
	for _, format := range []string{"{{.State.ConmonPid}}", "{{.State.Pid}}"} {
		for _, id := range ids {
			if err := p.kill(ctx, id, format); err != nil {
				return fmt.Errorf("power off: %w", err)
			}
		}
	}
	return nil
}
