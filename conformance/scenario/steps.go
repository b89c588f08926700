// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"context"

	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/rig"
	"github.com/cni-guard/cni-guard/conformance/runtimes"
)

// runAndLose makes a pod that holds an address, and loses its namespace to the
// node.
func runAndLose(ctx context.Context, s *rig.Rig, name string) (runtimes.Pod, error) {
	pod, err := s.Runtime.Run(ctx, name)
	if err != nil {
		return pod, err
	}
	if err := s.Leased(pod); err != nil {
		return pod, err
	}
	return pod, s.Runtime.Lose(pod, s.NodeNamespace())
}

// removeLost removes a pod whose namespace is the node's, and looks at the node.
func removeLost(ctx context.Context, s *rig.Rig, pod runtimes.Pod) error {
	if err := s.Remove(ctx, pod); err != nil {
		return err
	}
	return s.SeeNode()
}

// removeAll removes the last pods of a node, after which it must be as before.
func removeAll(ctx context.Context, s *rig.Rig, pods ...runtimes.Pod) error {
	for _, pod := range pods {
		if err := s.Remove(ctx, pod); err != nil {
			return err
		}
	}
	if err := s.SeeNode(); err != nil {
		return err
	}
	if err := s.SeeNoRecord(); err != nil {
		return err
	}
	return s.SeeNodeAsBefore(ctx)
}

// removeLostToNeighbour removes a pod whose namespace is the neighbour's, and
// looks at the neighbour.
func removeLostToNeighbour(ctx context.Context, s *rig.Rig, pod, neighbour runtimes.Pod) error {
	if err := s.SeePod(claim.PodReady, neighbour); err != nil {
		return err
	}
	if err := s.Remove(ctx, pod); err != nil {
		return err
	}
	return s.SeePod(claim.Neighbour, neighbour)
}
