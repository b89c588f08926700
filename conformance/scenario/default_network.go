// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"context"
	"fmt"
	"time"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/rig"
	"github.com/cni-guard/cni-guard/conformance/runtimes"
)

// defaultNetwork is a scenario for each place where CRI-O finds its default
// network's name.
func defaultNetwork(by runtimes.Source, where string) Scenario {
	return Scenario{
		Name:     "default-network-by-" + string(by),
		Incident: fmt.Sprintf("05-b.conflist sorts first, and CRI-O selects its network by name, from %s.", where),
		Harmless: "the name decides; the scenario shows that the guard refuses no pod for a file that has no effect",
		Holds: []claim.Claim{
			claim.PodRuns, claim.RightNetwork, claim.Recorded, claim.Shown, claim.PodGone, claim.AddressFree, claim.NodeAsBefore,
		},
		NotOn: onlyCRIO("containerd takes the first file, and has no option for a name"),
		Setup: rig.Setup{
			Settings: runtimes.Settings{DefaultNetwork: runtimes.DefaultNetwork{Name: chain.Name, By: by}},
		},
		Play: func(ctx context.Context, s *rig.Rig) error {
			if err := s.Install("05-b.conflist", s.LeftoverList()); err != nil {
				return err
			}
			if err := restart(ctx, s); err != nil {
				return err
			}
			pod, err := s.Runtime.Run(ctx, "web")
			s.See(claim.PodRuns, err == nil, fmt.Sprint(err))
			if err != nil {
				return nil // it is seen
			}
			s.SeeNetwork(claim.RightNetwork, pod)
			if err := s.SeeRecords(pod); err != nil {
				return err
			}
			if err := seeShown(ctx, s); err != nil {
				return err
			}
			return removeAll(ctx, s, pod)
		},
	}
}

// seeShown looks whether guardctl knows which network counts.
func seeShown(ctx context.Context, s *rig.Rig) error {
	if !s.Guarded {
		return nil
	}
	answer, err := s.Guardctl(ctx, "conf")
	if err != nil {
		return err
	}
	s.See(claim.Shown, answer.Says(fmt.Sprintf("pods get network %q", chain.Name), s.Runtime.(runtimes.Selector).Own()), answer.String())
	return nil
}

// soon bounds an ADD that CRI-O puts off until it has a network.
const soon = 5 * time.Second

var defaultNetworkMissing = Scenario{
	Name:     "default-network-missing",
	Incident: "CRI-O selects its network by name, and no file defines a network of that name, though the pods' own file is there.",
	Harms:    []claim.Claim{claim.NodeReady, claim.NextPod},
	Limits:   []claim.Claim{claim.NodeReady, claim.NextPod},
	Limit:    "CRI-O has no network then, and calls no plugin",
	Holds:    []claim.Claim{claim.NameMissing},
	NotOn:    defaultNetwork(runtimes.ByFile, "").NotOn,
	Setup: rig.Setup{
		Settings: runtimes.Settings{DefaultNetwork: runtimes.DefaultNetwork{Name: "other", By: runtimes.ByFile}},
	},
	Play: func(ctx context.Context, s *rig.Rig) error {
		if err := seeNodeReady(ctx, s); err != nil {
			return err
		}
		next, cancel := context.WithTimeout(ctx, soon)
		defer cancel()
		_, err := s.Runtime.Run(next, "next")
		s.See(claim.NextPod, err == nil, fmt.Sprint(err))
		if !s.Guarded {
			return nil
		}
		answer, err := s.Guardctl(ctx, "conf")
		if err != nil {
			return err
		}
		s.See(claim.NameMissing, answer.Code == 1 && answer.Says("cni_default_network", `"other"`) && !answer.Says("in use"), answer.String())
		return nil
	},
}
