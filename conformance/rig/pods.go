// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/runtimes"
)

// attempts is how often a removal is tried. kubelet would try for ever; nothing
// changes after the second time.
const attempts = 2

// RunAll makes a pod for each name.
func (s *Rig) RunAll(ctx context.Context, names ...string) ([]runtimes.Pod, error) {
	var pods []runtimes.Pod
	for _, name := range names {
		pod, err := s.Runtime.Run(ctx, name)
		if err != nil {
			return pods, err
		}
		pods = append(pods, pod)
	}
	return pods, nil
}

// Remove removes the pod as kubelet would and looks what the runtime and the
// IPAM plugin still have of it.
func (s *Rig) Remove(ctx context.Context, pod runtimes.Pod) error {
	var failure error
	for range attempts {
		if failure = s.Runtime.Remove(ctx, pod); failure == nil {
			break
		}
	}
	known, err := s.Runtime.Pods(ctx)
	if err != nil {
		return err
	}
	detail := "it is still listed"
	if failure != nil {
		detail = failure.Error()
	}
	s.See(claim.PodGone, failure == nil && !slices.Contains(known, pod.ID), detail)
	return s.SeeAddress(pod)
}

// SeeAddress looks whether the IPAM plugin has given back the pod's address.
func (s *Rig) SeeAddress(pod runtimes.Pod) error {
	held, err := chain.Leases(s.leaseDir(), pod.Chain())
	if err != nil {
		return err
	}
	s.See(claim.AddressFree, len(held) == 0, fmt.Sprintf("%s is still %s's", strings.Join(held, ", "), pod.Name))
	return nil
}

// Leased reports an error unless the pod holds its address: otherwise that it
// is free later would say nothing.
func (s *Rig) Leased(pod runtimes.Pod) error {
	held, err := chain.Leases(s.leaseDir(), pod.Chain())
	if err == nil && !slices.Contains(held, pod.Address) {
		err = fmt.Errorf("pod %s has address %q, but the IPAM plugin holds %v for it", pod.Name, pod.Address, held)
	}
	return err
}
