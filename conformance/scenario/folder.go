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

// unselected returns the reasons for scenarios of files that a runtime selects.
func unselected() map[string]string {
	return map[string]string{
		"libcni": "libcni gets its network from the caller, and selects no file",
		"podman": "podman selects networks by name, whatever else is in the folder",
	}
}

// unselectedNor adds the reason why CRI-O is not played, either.
func unselectedNor(crio string) map[string]string {
	reasons := unselected()
	reasons["crio"] = crio
	return reasons
}

// seeRefused runs a pod that must be refused because of a file, in words that
// leave no doubt which one that is, and what it does.
func seeRefused(ctx context.Context, s *rig.Rig, rogue string, also ...string) {
	_, err := s.Runtime.Run(ctx, "refused")
	said := fmt.Sprint(err)
	s.See(claim.Refused, err != nil && saysAll(said, s, rogue, also...), said)
}

// saysAll reports whether said names all that an operator needs.
func saysAll(said string, s *rig.Rig, rogue string, also ...string) bool {
	words := []string{"is the intended file", "was last modified", "guardctl conf quarantine " + s.Of(rogue), "and keep " + s.OwnFile()}
	for _, word := range append(words, also...) {
		if !strings.Contains(said, word) {
			return false
		}
	}
	return true
}

// mend does what an operator does on a node with the guard: looks, and quarantines
// what is shown; then the next pod must be right, and the others must go.
func mend(ctx context.Context, s *rig.Rig, rogue string, pods ...runtimes.Pod) error {
	return mendShown(ctx, s, claim.Named, 1, rogue, pods...)
}

// mendReady is mend for a file that lies ready and does no harm as yet.
func mendReady(ctx context.Context, s *rig.Rig, rogue string, pods ...runtimes.Pod) error {
	return mendShown(ctx, s, claim.NamedReady, 0, rogue, pods...)
}

func mendShown(ctx context.Context, s *rig.Rig, c claim.Claim, code int, rogue string, pods ...runtimes.Pod) error {
	shown, err := s.Guardctl(ctx, "conf", "--conf-dir", s.Of(""), "--runtime", s.Product())
	if err != nil {
		return err
	}
	s.See(c, shown.Code == code && shown.Says("rogue "+s.Of(rogue), "keep "+s.KeepFile(), "guardctl conf quarantine "+s.Of(rogue)), shown.String())
	return putAway(ctx, s, rogue, pods...)
}

// putAway runs the command that messages name, and looks at the next pod.
func putAway(ctx context.Context, s *rig.Rig, rogue string, pods ...runtimes.Pod) error {
	answer, err := s.Guardctl(ctx, "conf", "quarantine", s.Of(rogue), "--runtime", s.Product())
	if err != nil {
		return err
	}
	s.See(claim.PutAway, answer.Code == 0, answer.String())
	return seeMended(ctx, s, pods...)
}

// seeMended waits until the right network counts again, and looks at the next pod
// and at the end of the others.
func seeMended(ctx context.Context, s *rig.Rig, pods ...runtimes.Pod) error {
	if err := s.AwaitOwn(ctx); err != nil {
		return err
	}
	mended, err := s.Runtime.Run(ctx, "mended")
	if err != nil {
		return err
	}
	s.SeeNetwork(claim.MendedPod, mended)
	for _, pod := range append(pods, mended) {
		err := s.Runtime.Remove(ctx, pod)
		s.See(claim.MendedGone, err == nil, fmt.Sprint(err))
	}
	return s.SeeNoRecord()
}

// seeNext runs a pod and looks whether it is in the right network.
func seeNext(ctx context.Context, s *rig.Rig, name string) (runtimes.Pod, error) {
	pod, err := s.Runtime.Run(ctx, name)
	if err == nil {
		s.SeeNetwork(claim.RightNetwork, pod)
	}
	return pod, err
}

// seeBefore runs the pod that is older than the incident.
func seeBefore(ctx context.Context, s *rig.Rig) (runtimes.Pod, error) {
	pod, err := s.Runtime.Run(ctx, "before")
	if err == nil {
		err = s.Leased(pod)
	}
	return pod, err
}

// restart kills the runtime and starts it again, so that it reads its directory.
func restart(ctx context.Context, s *rig.Rig) error {
	if err := s.Runtime.Kill(); err != nil {
		return err
	}
	return s.Runtime.Start(ctx)
}
