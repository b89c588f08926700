// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/rig"
	"github.com/cni-guard/cni-guard/conformance/runtimes"
)

// Two loops of pods, each of as many.
const (
	podLoops   = 2
	podsInLoop = 25
)

var installUnderLoad = Scenario{
	Name:     "install-under-load",
	Incident: "guardctl install, upgrade and uninstall run in a loop while pods start and end as fast as they can.",
	Harmless: "without the guard there is nothing to install; the scenario shows that no pod fails by itself",
	Holds: []claim.Claim{
		claim.Installed, claim.InAndOut, claim.PodRuns, claim.RightNetwork, claim.PodGone, claim.AddressFree,
		claim.Restored, claim.NodeLo, claim.NodeAsBefore,
	},
	NotOn: map[string]string{
		"libcni": "conformance/install plays it on libcni",
		"podman": "guardctl install does not support podman",
	},
	Setup: rig.Setup{Late: true},
	Play: func(ctx context.Context, s *rig.Rig) error {
		before, err := os.ReadFile(s.OwnFile())
		if err != nil {
			return err
		}
		var l load
		err = atOnce(1+podLoops, func(i int) error {
			if i == 0 {
				return l.operate(ctx, s)
			}
			defer l.done.Store(true)
			return l.run(ctx, s, i)
		})
		if err != nil {
			return err
		}
		after, err := os.ReadFile(s.OwnFile())
		s.See(claim.Restored, err == nil && bytes.Equal(before, after), fmt.Sprintf("it is %s", after))
		l.see(s)
		return errors.Join(err, s.SeeNode(), s.SeeNodeAsBefore(ctx))
	},
}

// A load is what happens at the same time.
type load struct {
	done      atomic.Bool // a loop of pods has ended
	with, out atomic.Int32
}

// run runs pods one after the other. None may fail, not once.
func (l *load) run(ctx context.Context, s *rig.Rig, loop int) error {
	for i := range podsInLoop {
		pod, err := s.Runtime.Run(ctx, fmt.Sprintf("pod-%d-%d", loop, i))
		s.See(claim.PodRuns, err == nil, fmt.Sprint(err))
		if err != nil {
			return nil // it is seen
		}
		s.SeeNetwork(claim.RightNetwork, pod)
		if err := l.count(s, pod); err != nil {
			return err
		}
		err = s.Runtime.Remove(ctx, pod)
		s.See(claim.PodGone, err == nil, fmt.Sprint(err))
		if err := s.SeeAddress(pod); err != nil {
			return err
		}
	}
	return nil
}

func (l *load) count(s *rig.Rig, pod runtimes.Pod) error {
	recorded, err := s.Recorded(pod)
	if recorded {
		l.with.Add(1)
	} else {
		l.out.Add(1)
	}
	return err
}

// see looks whether the guard came and went at all while pods did.
func (l *load) see(s *rig.Rig) {
	if with, out := l.with.Load(), l.out.Load(); s.Guarded {
		s.See(claim.InAndOut, with > 0 && out > 0, fmt.Sprintf("%d with it, %d without", with, out))
	}
}

// operate changes the installation until a loop of pods is done, and ends with a
// whole round. Each upgrade brings other programs.
func (l *load) operate(ctx context.Context, s *rig.Rig) error {
	if !s.Guarded {
		return nil
	}
	next, err := s.NextRelease()
	if err != nil {
		return err
	}
	flags := [][]string{nil, {"--loopback"}, {"--placement", "own"}, {"--placement", "bookend"}}
	for i := 0; !l.done.Load(); i++ {
		steps := []func() (rig.Answer, error){
			func() (rig.Answer, error) { return s.Operate(ctx, s.Programs(), "install", flags[i%len(flags)]...) },
			func() (rig.Answer, error) { return s.Operate(ctx, next, "upgrade") },
			func() (rig.Answer, error) { return s.Operate(ctx, s.Programs(), "uninstall") },
		}
		for _, step := range steps {
			answer, err := step()
			if err != nil {
				return err
			}
			s.See(claim.Installed, answer.Code == 0, answer.String())
		}
	}
	return nil
}
