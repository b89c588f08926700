// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/cni-guard/cni-guard/conformance/runtimes"
)

// dial connects, and waits until the CRI service answers: it registers some time
// after the socket is there.
func (c *Containerd) dial(ctx context.Context) error {
	var err error
	c.conn, err = grpc.NewClient("unix://"+c.socket(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return fmt.Errorf("connect to %s: %w", c.socket(), err)
	}
	c.cri = cri.NewRuntimeServiceClient(c.conn)
	return runtimes.Await(ctx, "the CRI service of containerd", func(ctx context.Context) (bool, error) {
		// Not WaitForReady: grpc would back off for seconds before it looks again.
		status, err := c.cri.Status(ctx, &cri.StatusRequest{})
		if err != nil {
			c.conn.ResetConnectBackoff()
			return false, err
		}
		return condition(status, cri.RuntimeReady).GetStatus(), nil
	})
}

// condition finds a condition of the status; nil where it is missing.
func condition(status *cri.StatusResponse, kind string) *cri.RuntimeCondition {
	for _, c := range status.GetStatus().GetConditions() {
		if c.GetType() == kind {
			return c
		}
	}
	return nil
}

// Network is of runtimes.Runtime.
func (c *Containerd) Network(ctx context.Context) (bool, string, error) {
	status, err := c.cri.Status(ctx, &cri.StatusRequest{})
	if err != nil {
		return false, "", fmt.Errorf("ask containerd for its status: %w", err)
	}
	network := condition(status, cri.NetworkReady)
	return network.GetStatus(), network.GetMessage(), nil
}
