// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"context"
	"fmt"
	"strings"

	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/rig"
	"github.com/cni-guard/cni-guard/conformance/runtimes"
)

// attachmentsKept is why no other runtime is played.
func attachmentsKept() map[string]string {
	const never = "it never asks its networks to collect garbage"
	return map[string]string{
		"libcni":      "conformance/replay collects garbage through libcni",
		"containerd":  never,
		"containerd2": never,
		"podman":      never,
	}
}

var gcAtStart = Scenario{
	Name:     "gc-at-start",
	Incident: "The node loses power, and CRI-O loses its storage; at its start it deletes the attachments that only libcni's cache has (GC), by the paths of pins that are gone.",
	Harmless: "a path that leads nowhere does no harm; the scenario shows that the guard lets addresses be released",
	Holds:    []claim.Claim{claim.AddressFree, claim.PodReady, claim.PodGone, claim.NodeLo, claim.NodeEth0, claim.NoRecord},
	NotOn:    attachmentsKept(),
	Setup:    rig.Setup{Bridge: true},
	Play: func(ctx context.Context, s *rig.Rig) error {
		return forgetAndCollect(ctx, s, func(runtimes.Pod) error { return nil })
	},
}

var cachedPathReused = Scenario{
	Name: "cached-path-reused",
	Incident: "As gc-at-start; the pods were made by a CRI-O that passed /proc/PID/ns/net, as all did before 1.19, and each PID belongs to a process of the node now " +
		"(incident 003, cri-o#2849).",
	Harms: []claim.Claim{claim.NodeEth0},
	Holds: []claim.Claim{
		claim.AddressFree, claim.Recognised, claim.SameAnswer, claim.ReleasedOnce, claim.Neighbour, claim.PodReady, claim.PodGone, claim.NodeLo, claim.NodeEth0, claim.NoRecord,
	},
	NotOn: attachmentsKept(),
	Setup: rig.Setup{Bridge: true},
	Play: func(ctx context.Context, s *rig.Rig) error {
		if err := s.Watch("host-local"); err != nil {
			return err
		}
		err := forgetAndCollect(ctx, s, func(pod runtimes.Pod) error { return s.RewriteCachedPath(pod, s.NodeNamespace()) })
		if err != nil {
			return err
		}
		if err := s.SeeEvent(claim.Recognised, "host-netns"); err != nil || !s.Guarded {
			return err
		}
		return collectAgain(ctx, s)
	},
}

// collectAgain starts CRI-O once more. A DEL that fails stays in the attachment cache,
// so that each start calls it again. By then the address may be another pod's.
func collectAgain(ctx context.Context, s *rig.Rig) error {
	tenant, err := s.Runtime.Run(ctx, "tenant")
	if err != nil {
		return err
	}
	if err := restart(ctx, s); err != nil {
		return err
	}
	if err := awaitReady(ctx, s); err != nil {
		return err
	}
	answers, err := s.Logged("Garbage collect stale network resources")
	if err != nil {
		return err
	}
	same := len(answers) == 2 && answers[0] == answers[1] && strings.Contains(answers[0], "cni-guard")
	s.See(claim.SameAnswer, same, fmt.Sprintf("CRI-O logs %q", answers))
	if err := s.SeePod(claim.Neighbour, tenant); err != nil {
		return err
	}
	if err := s.Leased(tenant); err != nil {
		s.See(claim.Neighbour, false, err.Error())
	}
	if err := s.SeeNode(); err != nil {
		return err
	}
	if err := s.Remove(ctx, tenant); err != nil {
		return err
	}
	if err := s.SeeOneDEL("host-local"); err != nil {
		return err
	}
	return s.SeeNoRecord()
}

// forgetAndCollect runs two pods, loses power and all notes of them but libcni's,
// and looks at what the runtime does about these.
func forgetAndCollect(ctx context.Context, s *rig.Rig, meanwhile func(runtimes.Pod) error) error {
	pods, err := s.RunAll(ctx, "web", "db")
	if err != nil {
		return err
	}
	forget := []func() error{s.Runtime.(runtimes.Forgetter).Forget}
	for _, pod := range pods {
		if err := s.Leased(pod); err != nil {
			return err
		}
		forget = append(forget, func() error { return meanwhile(pod) })
	}
	if err := s.Reboot(ctx, forget...); err != nil {
		return err
	}
	// CRI-O is ready when it has collected.
	if err := awaitReady(ctx, s); err != nil {
		return err
	}
	for _, pod := range pods {
		if err := s.SeeAddress(pod); err != nil {
			return err
		}
	}
	if err := s.SeeNode(); err != nil {
		return err
	}
	next, err := s.Runtime.Run(ctx, "next")
	if err != nil {
		return err
	}
	if err := s.SeePod(claim.PodReady, next); err != nil {
		return err
	}
	if err := s.Remove(ctx, next); err != nil {
		return err
	}
	return s.SeeNoRecord()
}
