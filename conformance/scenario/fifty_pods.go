// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/rig"
	"github.com/cni-guard/cni-guard/conformance/runtimes"
)

var fiftyPods = Scenario{
	Name:     "fifty-pods",
	Incident: "Fifty pods start at once and are removed at once; the paths of five lead to the node by then.",
	Harms:    []claim.Claim{claim.NodeLo, claim.PodGone, claim.AddressFree},
	Spared:   map[string]string{"podman": heedless, "crio": once},
	Holds: []claim.Claim{
		claim.PodReady, claim.Recorded, claim.PodGone, claim.AddressFree, claim.Recognised,
		claim.NodeLo, claim.NodeEth0, claim.NoRecord, claim.NodeAsBefore,
	},
	Play: func(ctx context.Context, s *rig.Rig) error {
		pods := make([]runtimes.Pod, 50)
		err := atOnce(len(pods), func(i int) (err error) {
			pods[i], err = s.Runtime.Run(ctx, fmt.Sprintf("pod-%02d", i))
			return err
		})
		if err != nil {
			return err
		}
		for _, pod := range pods {
			if err := errors.Join(s.SeePod(claim.PodReady, pod), s.Leased(pod)); err != nil {
				return err
			}
		}
		if err := s.SeeRecords(pods...); err != nil {
			return err
		}
		for _, pod := range pods[:5] {
			if err := s.Runtime.Lose(pod, s.NodeNamespace()); err != nil {
				return err
			}
		}
		if err := atOnce(len(pods), func(i int) error { return s.Remove(ctx, pods[i]) }); err != nil {
			return err
		}
		if err := s.SeeNode(); err != nil || !s.Guarded {
			return err
		}
		return errors.Join(s.SeeEvent(claim.Recognised, "host-netns"), s.SeeNoRecord(), s.SeeNodeAsBefore(ctx))
	},
}

// atOnce calls do for every index below n, all at the same time.
func atOnce(n int, do func(int) error) error {
	var all sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		all.Go(func() { errs[i] = do(i) })
	}
	all.Wait()
	return errors.Join(errs...)
}
