// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/node"
	"github.com/cni-guard/cni-guard/conformance/podrange"
	"github.com/cni-guard/cni-guard/conformance/runtimes"
)

// Need makes the node one that needs an address in the range of its pods, and starts a
// server there. It returns the server's address, once the node has reached it.
func (s *Rig) Need(ctx context.Context, c podrange.Case) (string, error) {
	if _, err := c.Prepare(); err != nil { // for as long as there is this node
		return "", err
	}
	path, err := c.PlugIn(s.node)
	if err != nil {
		return "", err
	}
	server, err := node.Serve(ctx, path, net.JoinHostPort(c.Needed, "0"))
	if err != nil {
		return "", err
	}
	address := server.Addr().String()
	if err := node.Reach(ctx, s.node.Path, address, time.Minute); err != nil {
		return "", fmt.Errorf("reach %s before the first pod: %w", address, err)
	}
	return address, nil
}

// SeeNeeded has the node and a pod connect to the address.
func (s *Rig) SeeNeeded(ctx context.Context, pod runtimes.Pod, address string) {
	const hopeless = 3 * time.Second // nothing can bring the connection about
	err := node.Reach(ctx, s.node.Path, address, hopeless)
	s.See(claim.NodeReaches, err == nil, fmt.Sprint(err))
	err = node.Reach(ctx, pod.Netns, address, hopeless)
	s.See(claim.PodReaches, err == nil, fmt.Sprint(err))
}

// SeeRangeNamed looks whether guardctl doctor names the range and the address.
func (s *Rig) SeeRangeNamed(ctx context.Context, c podrange.Case) error {
	if !s.Guarded {
		return nil
	}
	answer, err := s.overlaps(ctx)
	s.See(claim.RangeNamed, answer.Code == 1 && answer.Says(c.Finds...), answer.String())
	return err
}

// Renumber gives pods the usual range, as on a node that is made again: the bridge with
// an address of the range of before goes.
func (s *Rig) Renumber(ctx context.Context) error {
	if err := node.RemoveLink(s.node.Path, "cni0"); err != nil {
		return err
	}
	return s.Chain(ctx, Behind, chain.Bridge(s.HostLocal()))
}

// SeeRangeCured has the node and a pod of the other range connect to the address, and
// asks guardctl doctor.
func (s *Rig) SeeRangeCured(ctx context.Context, pod runtimes.Pod, address string) error {
	answer, err := s.overlaps(ctx)
	if err != nil {
		return err
	}
	reached := errors.Join(node.Reach(ctx, s.node.Path, address, time.Minute), node.Reach(ctx, pod.Netns, address, time.Minute))
	s.See(claim.RangeCured, reached == nil && answer.Code == 0, fmt.Sprintf("%v; %s", reached, answer))
	return nil
}

// overlaps asks guardctl doctor about the range of the pods.
func (s *Rig) overlaps(ctx context.Context) (Answer, error) {
	return s.Guardctl(ctx, append([]string{"doctor", "--check", "address-overlap"}, s.where()...)...)
}
