// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"context"
	"fmt"

	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/rig"
)

// Why a DEL that fails does less harm on some runtimes. They call no plugin for lo.
const (
	heedless = "ptp releases the address before it fails, and podman takes the pod for removed whatever the answer is"
	once     = "ptp releases the address before it fails, and CRI-O calls DEL once and takes the network for removed whatever the answer is"
)

var addressesExhausted = Scenario{
	Name:     "addresses-exhausted",
	Incident: "All addresses are in use and a pod is refused; a pod whose path leads to the node is removed, and the next pod needs its address.",
	Harms:    []claim.Claim{claim.AddressFree, claim.AddressUsed, claim.PodGone, claim.NodeLo},
	Spared:   map[string]string{"podman": heedless, "crio": once},
	Holds: []claim.Claim{
		claim.PodGone, claim.AddressFree, claim.AddressUsed, claim.NodeLo, claim.NodeEth0, claim.NoRecord, claim.NodeAsBefore,
	},
	Setup: rig.Setup{Addresses: 2},
	Play: func(ctx context.Context, s *rig.Rig) error {
		other, err := s.Runtime.Run(ctx, "other")
		if err != nil {
			return err
		}
		lost, err := s.Runtime.Run(ctx, "lost")
		if err != nil {
			return err
		}
		if refused, err := s.Runtime.Run(ctx, "refused"); err == nil {
			return fmt.Errorf("a third pod got %s, where there are two addresses", refused.Address)
		}
		if err := s.Runtime.Lose(lost, s.NodeNamespace()); err != nil {
			return err
		}
		if err := s.Remove(ctx, lost); err != nil {
			return err
		}
		next, err := s.Runtime.Run(ctx, "next")
		s.See(claim.AddressUsed, err == nil && next.Address == lost.Address, fmt.Sprint(err))
		if err != nil {
			return s.SeeNode()
		}
		return removeAll(ctx, s, other, next)
	},
}
