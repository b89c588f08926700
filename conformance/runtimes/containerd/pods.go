// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/cni-guard/cni-guard/conformance/runtimes"
)

// Run is of runtimes.Runtime.
func (c *Containerd) Run(ctx context.Context, name string) (runtimes.Pod, error) {
	made, err := c.cri.RunPodSandbox(ctx, &cri.RunPodSandboxRequest{Config: c.sandboxConfig(name)})
	if err != nil {
		return runtimes.Pod{}, fmt.Errorf("run pod %s: %w", name, err)
	}
	pod := runtimes.Pod{ID: made.GetPodSandboxId(), Name: name}
	status, sandbox, err := c.inspect(ctx, pod.ID)
	if err != nil {
		return pod, fmt.Errorf("run pod %s: %w", name, err)
	}
	if state := status.GetState(); state != cri.PodSandboxState_SANDBOX_READY {
		return pod, fmt.Errorf("run pod %s: its state is %s", name, state)
	}
	pod.Address = status.GetNetwork().GetIp()
	if pod.Netns = sandbox.netns(); pod.Netns == "" {
		return pod, fmt.Errorf("run pod %s: containerd does not tell its namespace", name)
	}
	return pod, nil
}

func (c *Containerd) sandboxConfig(name string) *cri.PodSandboxConfig {
	return &cri.PodSandboxConfig{
		Metadata:     &cri.PodSandboxMetadata{Name: name, Uid: name, Namespace: "default"},
		LogDirectory: c.site.Disk,
		Linux:        &cri.LinuxPodSandboxConfig{CgroupParent: c.site.Cgroup},
	}
}

// A sandbox is what containerd tells of one beyond the CRI's words.
type sandbox struct {
	PID         int
	RuntimeSpec struct {
		Linux struct {
			Namespaces []struct{ Type, Path string }
		}
	}
}

func (s sandbox) netns() string {
	for _, ns := range s.RuntimeSpec.Linux.Namespaces {
		if ns.Type == "network" {
			return ns.Path
		}
	}
	return ""
}

func (c *Containerd) inspect(ctx context.Context, id string) (*cri.PodSandboxStatus, sandbox, error) {
	var s sandbox
	answer, err := c.cri.PodSandboxStatus(ctx, &cri.PodSandboxStatusRequest{PodSandboxId: id, Verbose: true})
	if err != nil {
		return nil, s, fmt.Errorf("inspect pod: %w", err)
	}
	if err := json.Unmarshal([]byte(answer.GetInfo()["info"]), &s); err != nil {
		return nil, s, fmt.Errorf("inspect pod: %w", err)
	}
	return answer.GetStatus(), s, nil
}

// Remove is of runtimes.Runtime: what kubelet does, in its order.
func (c *Containerd) Remove(ctx context.Context, pod runtimes.Pod) error {
	if _, err := c.cri.StopPodSandbox(ctx, &cri.StopPodSandboxRequest{PodSandboxId: pod.ID}); err != nil {
		return fmt.Errorf("stop pod %s: %w", pod.Name, err)
	}
	if _, err := c.cri.RemovePodSandbox(ctx, &cri.RemovePodSandboxRequest{PodSandboxId: pod.ID}); err != nil {
		return fmt.Errorf("remove pod %s: %w", pod.Name, err)
	}
	return nil
}

// Pods is of runtimes.Runtime.
func (c *Containerd) Pods(ctx context.Context) ([]string, error) {
	list, err := c.cri.ListPodSandbox(ctx, &cri.ListPodSandboxRequest{})
	if err != nil {
		return nil, fmt.Errorf("list pods: %w", err)
	}
	var ids []string
	for _, item := range list.GetItems() {
		ids = append(ids, item.GetId())
	}
	return ids, nil
}

// ready reports whether containerd takes the pod's sandbox for running.
func (c *Containerd) ready(ctx context.Context, id string) (bool, error) {
	answer, err := c.cri.PodSandboxStatus(ctx, &cri.PodSandboxStatusRequest{PodSandboxId: id})
	if err != nil {
		return false, errors.Join(errors.New("look at pod"), err)
	}
	return answer.GetStatus().GetState() == cri.PodSandboxState_SANDBOX_READY, nil
}
