// SPDX-License-Identifier: Apache-2.0

// Package cri talks to a container runtime through the CRI API, as kubelet does.
package cri

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/cni-guard/cni-guard/conformance/runtimes"
)

// PauseImage is the only image. No registry is asked for others.
const PauseImage = "localhost/pause:1"

// A Client is the CRI half of a runtimes.Runtime. Dial connects it.
type Client struct {
	Name   string // of the runtime, for errors
	Logs   string // directory for logs of containers
	Cgroup string // parent of all cgroups

	conn *grpc.ClientConn
	cri  cri.RuntimeServiceClient
}

// Dial connects to the socket and waits until the runtime is ready: the CRI service
// registers some time after the socket is there.
func (c *Client) Dial(ctx context.Context, socket string) error {
	var err error
	c.conn, err = grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return fmt.Errorf("connect to %s: %w", socket, err)
	}
	c.cri = cri.NewRuntimeServiceClient(c.conn)
	return runtimes.Await(ctx, "the CRI service of "+c.Name, func(ctx context.Context) (bool, error) {
		// Not WaitForReady: grpc would back off for seconds before it looks again.
		status, err := c.cri.Status(ctx, &cri.StatusRequest{})
		if err != nil {
			c.conn.ResetConnectBackoff()
			return false, err
		}
		return condition(status, cri.RuntimeReady).GetStatus(), nil
	})
}

// Close ends the connection.
func (c *Client) Close() error { return c.conn.Close() }

// condition finds a condition of the status; nil where it is missing.
func condition(status *cri.StatusResponse, kind string) *cri.RuntimeCondition {
	for _, c := range status.GetStatus().GetConditions() {
		if c.GetType() == kind {
			return c
		}
	}
	return nil
}

// Network implements runtimes.Runtime.
func (c *Client) Network(ctx context.Context) (bool, string, error) {
	status, err := c.cri.Status(ctx, &cri.StatusRequest{})
	if err != nil {
		return false, "", fmt.Errorf("ask %s for its status: %w", c.Name, err)
	}
	network := condition(status, cri.NetworkReady)
	return network.GetStatus(), network.GetMessage(), nil
}

// Info returns what crictl info shows beyond the conditions, by its keys.
func (c *Client) Info(ctx context.Context) (map[string]string, error) {
	status, err := c.cri.Status(ctx, &cri.StatusRequest{Verbose: true})
	if err != nil {
		return nil, fmt.Errorf("ask %s for its status: %w", c.Name, err)
	}
	return status.GetInfo(), nil
}
