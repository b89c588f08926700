// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/node"
	"github.com/cni-guard/cni-guard/conformance/runtimes"
)

// guardState is the guard's default state directory, on the node's own /run.
const guardState = "/run/cni-guard"

// SeeNode looks at the two links of the node that incidents take away.
func (s *Rig) SeeNode() error {
	f, err := node.Look(s.node.Path)
	if err != nil {
		return err
	}
	s.See(claim.NodeLo, f.LoUp, "it is DOWN")
	s.See(claim.NodeEth0, f.HasEth0, "it is gone")
	return nil
}

// SeeEth0 looks at the node's eth0 alone.
func (s *Rig) SeeEth0(c claim.Claim) error {
	f, err := node.Look(s.node.Path)
	s.See(c, f.HasEth0, "it is gone")
	return err
}

// SeeNodeAsBefore compares everything with the start, once no pod is left. The
// kernel takes the links of an ended pod in its own time, so it may be asked
// more than once, unless it is known already that things are not as they were.
func (s *Rig) SeeNodeAsBefore(ctx context.Context) error {
	var after string
	compare := func(context.Context) (same bool, err error) {
		after, err = node.Snapshot(s.node.Path)
		return after == s.before, err
	}
	same, err := compare(ctx)
	if err == nil && !same && s.wellSoFar() {
		_ = runtimes.Await(ctx, "the node to be as before", compare)
	}
	s.See(claim.NodeAsBefore, after == s.before, Difference(s.before, after))
	return err
}

// Difference names the lines that came and those that went.
func Difference(before, after string) string {
	var changes []string
	lines := func(sign, of, other string) {
		for line := range strings.Lines(of) {
			if line = strings.TrimSpace(line); !strings.Contains("\n"+other+"\n", "\n"+line+"\n") {
				changes = append(changes, sign+line)
			}
		}
	}
	lines("gone: ", before, after)
	lines("new: ", after, before)
	return strings.Join(changes, ", ")
}

func (s *Rig) wellSoFar() bool {
	for _, one := range s.Sightings() {
		if !one.Held {
			return false
		}
	}
	return true
}

// SeePod looks at a pod that lives, and writes down under the claim whether its
// network is whole.
func (s *Rig) SeePod(c claim.Claim, pod runtimes.Pod) error {
	f, err := node.Look(pod.Netns)
	if err != nil {
		return err
	}
	s.See(c, f.LoUp && f.HasEth0, fmt.Sprintf("%s has lo up: %t, eth0: %t", pod.Name, f.LoUp, f.HasEth0))
	return nil
}

// SeeNoRecord looks whether the guard still has a record of a pod among those
// that live. Without the guard there is nothing to look at.
func (s *Rig) SeeNoRecord() error {
	if !s.Guarded {
		return nil
	}
	records, err := s.records()
	s.See(claim.NoRecord, len(records) == 0, strings.Join(records, ", "))
	return err
}

// SeeRecords looks whether the guard has a record of each of the pods.
func (s *Rig) SeeRecords(pods ...runtimes.Pod) error {
	if !s.Guarded {
		return nil
	}
	records, err := s.records()
	all := strings.Join(records, ", ")
	for _, pod := range pods {
		s.See(claim.Recorded, strings.Contains(all, ":"+pod.ID+":"), "there are "+all)
	}
	return err
}

// Recorded reports whether the guard has a record of the pod: whether it was called.
func (s *Rig) Recorded(pod runtimes.Pod) (bool, error) {
	records, err := s.records()
	return strings.Contains(strings.Join(records, ", "), ":"+pod.ID+":"), err
}

func (s *Rig) records() ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(guardState, "live"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, nil
}

// SeeEvent looks for a word among the guard's events.
func (s *Rig) SeeEvent(c claim.Claim, word string) error {
	if !s.Guarded {
		return nil
	}
	events, err := os.ReadFile(filepath.Join(guardState, "events.jsonl"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	s.See(c, strings.Contains(string(events), word), fmt.Sprintf("no %q among its events", word))
	return nil
}
