// SPDX-License-Identifier: Apache-2.0

package cri

import (
	"context"
	"encoding/json"
	"fmt"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/cni-guard/cni-guard/conformance/runtimes"
)

// Run implements runtimes.Runtime.
func (c *Client) Run(ctx context.Context, name string) (runtimes.Pod, error) {
	return c.run(ctx, name, c.sandboxConfig(name))
}

// RunInUserNamespace runs a pod whose root is an ordinary user of the node.
func (c *Client) RunInUserNamespace(ctx context.Context, name string) (runtimes.Pod, error) {
	config := c.sandboxConfig(name)
	ids := []*cri.IDMapping{{ContainerId: 0, HostId: 200_000, Length: 65_536}}
	config.Linux.SecurityContext.NamespaceOptions.UsernsOptions = &cri.UserNamespace{Mode: cri.NamespaceMode_POD, Uids: ids, Gids: ids}
	return c.run(ctx, name, config)
}

func (c *Client) run(ctx context.Context, name string, config *cri.PodSandboxConfig) (runtimes.Pod, error) {
	made, err := c.cri.RunPodSandbox(ctx, &cri.RunPodSandboxRequest{Config: config})
	if err != nil {
		return runtimes.Pod{}, fmt.Errorf("run pod %s: %w", name, err)
	}
	pod := runtimes.Pod{ID: made.GetPodSandboxId(), Name: name}
	status, sandbox, err := c.Inspect(ctx, pod.ID)
	if err != nil {
		return pod, fmt.Errorf("run pod %s: %w", name, err)
	}
	if state := status.GetState(); state != cri.PodSandboxState_SANDBOX_READY {
		return pod, fmt.Errorf("run pod %s: its state is %s", name, state)
	}
	pod.Address = status.GetNetwork().GetIp()
	if pod.Netns = sandbox.netns(); pod.Netns == "" {
		return pod, fmt.Errorf("run pod %s: %s does not report its namespace", name, c.Name)
	}
	return pod, nil
}

// sandboxConfig is of a pod whose containers have a pid namespace each, which is
// what kubelet asks for. Without that CRI-O starts a sandbox process.
func (c *Client) sandboxConfig(name string) *cri.PodSandboxConfig {
	return &cri.PodSandboxConfig{
		Metadata:     &cri.PodSandboxMetadata{Name: name, Uid: name, Namespace: "default"},
		LogDirectory: c.Logs,
		Linux: &cri.LinuxPodSandboxConfig{
			CgroupParent: c.Cgroup,
			SecurityContext: &cri.LinuxSandboxSecurityContext{
				NamespaceOptions: &cri.NamespaceOption{Pid: cri.NamespaceMode_CONTAINER},
			},
		},
	}
}

// A Sandbox is what runtimes report of one beyond the CRI's words.
type Sandbox struct {
	PID         int
	RuntimeSpec struct {
		Linux struct {
			Namespaces []struct{ Type, Path string }
		}
	}
}

func (s Sandbox) netns() string {
	for _, ns := range s.RuntimeSpec.Linux.Namespaces {
		if ns.Type == "network" {
			return ns.Path
		}
	}
	return ""
}

// Inspect returns what crictl inspectp shows of a pod.
func (c *Client) Inspect(ctx context.Context, id string) (*cri.PodSandboxStatus, Sandbox, error) {
	var s Sandbox
	answer, err := c.cri.PodSandboxStatus(ctx, &cri.PodSandboxStatusRequest{PodSandboxId: id, Verbose: true})
	if err != nil {
		return nil, s, fmt.Errorf("inspect pod: %w", err)
	}
	if err := json.Unmarshal([]byte(answer.GetInfo()["info"]), &s); err != nil {
		return nil, s, fmt.Errorf("inspect pod: %w", err)
	}
	return answer.GetStatus(), s, nil
}

// Remove implements runtimes.Runtime: what kubelet does, in its order.
func (c *Client) Remove(ctx context.Context, pod runtimes.Pod) error {
	if _, err := c.cri.StopPodSandbox(ctx, &cri.StopPodSandboxRequest{PodSandboxId: pod.ID}); err != nil {
		return fmt.Errorf("stop pod %s: %w", pod.Name, err)
	}
	if _, err := c.cri.RemovePodSandbox(ctx, &cri.RemovePodSandboxRequest{PodSandboxId: pod.ID}); err != nil {
		return fmt.Errorf("remove pod %s: %w", pod.Name, err)
	}
	return nil
}

// Pods implements runtimes.Runtime.
func (c *Client) Pods(ctx context.Context) ([]string, error) {
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

// Ready reports whether the runtime takes the pod's sandbox for running.
func (c *Client) Ready(ctx context.Context, id string) (bool, error) {
	answer, err := c.cri.PodSandboxStatus(ctx, &cri.PodSandboxStatusRequest{PodSandboxId: id})
	if err != nil {
		return false, fmt.Errorf("look at pod: %w", err)
	}
	return answer.GetStatus().GetState() == cri.PodSandboxState_SANDBOX_READY, nil
}
