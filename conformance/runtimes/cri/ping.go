// SPDX-License-Identifier: Apache-2.0

package cri

import (
	"context"
	"errors"
	"fmt"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/cni-guard/cni-guard/conformance/runtimes"
)

// Ping implements runtimes.Runtime: ExecSync in a container of the pod.
func (c *Client) Ping(ctx context.Context, from, to runtimes.Pod) (err error) {
	id, err := c.startContainer(ctx, from)
	if err != nil {
		return fmt.Errorf("ping from pod %s: %w", from.Name, err)
	}
	defer func() {
		_, removal := c.cri.RemoveContainer(ctx, &cri.RemoveContainerRequest{ContainerId: id})
		err = errors.Join(err, removal)
	}()
	answer, err := c.cri.ExecSync(ctx, &cri.ExecSyncRequest{ContainerId: id, Cmd: []string{"/pause", "ping", to.Address}, Timeout: 10})
	if err != nil {
		return fmt.Errorf("ping from pod %s: %w", from.Name, err)
	}
	if answer.GetExitCode() != 0 {
		return fmt.Errorf("ping from pod %s to %s: %s", from.Name, to.Address, answer.GetStderr())
	}
	return nil
}

// startContainer runs the sandbox image once more, as a container of the pod.
func (c *Client) startContainer(ctx context.Context, pod runtimes.Pod) (string, error) {
	config := c.sandboxConfig(pod.Name)
	made, err := c.cri.CreateContainer(ctx, &cri.CreateContainerRequest{
		PodSandboxId:  pod.ID,
		SandboxConfig: config,
		Config: &cri.ContainerConfig{
			Metadata: &cri.ContainerMetadata{Name: "ping"},
			// CRI-O wants to know the name that the user gave, to verify signatures.
			Image:   &cri.ImageSpec{Image: PauseImage, UserSpecifiedImage: PauseImage},
			LogPath: pod.Name + "-ping.log",
			Linux: &cri.LinuxContainerConfig{SecurityContext: &cri.LinuxContainerSecurityContext{
				NamespaceOptions: config.GetLinux().GetSecurityContext().GetNamespaceOptions(),
			}},
		},
	})
	if err != nil {
		return "", fmt.Errorf("create container: %w", err)
	}
	id := made.GetContainerId()
	if _, err := c.cri.StartContainer(ctx, &cri.StartContainerRequest{ContainerId: id}); err != nil {
		return "", fmt.Errorf("start container: %w", err)
	}
	return id, nil
}
