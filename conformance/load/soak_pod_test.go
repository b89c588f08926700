// SPDX-License-Identifier: Apache-2.0

package load

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/node"
	"github.com/cni-guard/cni-guard/conformance/rigtest"
)

// A soak is a node with a pod that stays, while others come and go.
type soak struct {
	*rigtest.Rig
	t *testing.T

	random    *rand.Rand
	runtime   *chain.Runtime
	neighbour string // the path of the pod that stays
	ends      map[string]int
}

func newSoak(t *testing.T, random *rand.Rand) *soak {
	t.Helper()
	s := &soak{Rig: rigtest.New(t), t: t, random: random, ends: map[string]int{}}
	s.restartRuntime()
	pin, err := node.NewPin("cni-neighbour")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pin.Remove() })
	s.neighbour = pin.Path
	// Its ADD sets what the primary plugin sets once on a node, such as forwarding.
	if _, err := s.runtime.Add(t.Context(), chain.Pod{ID: "neighbour", Netns: pin.Path}); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *soak) restartRuntime() {
	s.t.Helper()
	s.runtime = s.Guarded("1.0.0", chain.PTP(s.HostLocal()))
}

// pod runs a pod from start to end. Its sandbox is a process, as cri-dockerd's.
func (s *soak) pod(i int) {
	s.t.Helper()
	p, err := node.NewHolder()
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = p.End() }()
	pod := chain.Pod{ID: fmt.Sprintf("pod-%05d", i), Netns: p.Path()}
	result, err := s.runtime.Add(s.t.Context(), pod)
	if err != nil {
		s.t.Fatalf("pod %d: %v", i, err)
	}
	s.end(p, pod)
	if err := s.Node.AwaitGone(chain.NodeSide(result)); err != nil {
		s.t.Fatalf("pod %d: %v", i, err)
	}
	if held, err := chain.Leases(s.LeaseDir(), pod); err != nil || len(held) > 0 {
		s.t.Errorf("pod %d holds %v after its end: %v", i, held, err)
	}
}

// end lets the process of a sandbox end in one of several ways, and the runtime
// remove the pod when its path leads to where that way lets it lead.
func (s *soak) end(p *node.Process, pod chain.Pod) {
	s.t.Helper()
	way := s.random.IntN(10)
	if way < 5 {
		s.ends["in order"]++
		s.remove(pod)
		return
	}
	if err := p.End(); err != nil {
		s.t.Fatal(err)
	}
	switch {
	case way < 6:
		s.ends["process gone"]++
		s.remove(pod)
	case way < 9:
		s.reused("process ID reused by the node", p.PID, s.Node.Path, pod)
	default:
		s.reused("process ID reused by another pod", p.PID, s.neighbour, pod)
	}
}

// reused lets a process in the namespace have the ID while the pod is removed.
func (s *soak) reused(way string, pid int, netns string, pod chain.Pod) {
	s.t.Helper()
	var thief *node.Process
	err := node.Within(netns, func() (err error) {
		thief, err = node.Reuse(pid)
		return err
	})
	if err != nil { // another process of the machine was faster
		s.ends["process ID not to be had"]++
		s.remove(pod)
		return
	}
	defer func() { _ = thief.End() }()
	s.ends[way]++
	said := s.remove(pod)
	if !strings.Contains(said, "released without it") {
		s.t.Errorf("%s: DEL of %s was not refused: %q", way, pod.ID, said)
	}
}

// remove removes the pod and returns what was said of it, "" for nothing. It fails
// the test at once where that harmed anybody.
func (s *soak) remove(pod chain.Pod) string {
	s.t.Helper()
	removal := s.runtime.Remove(s.t.Context(), pod)
	if !removal.Complete() {
		s.t.Errorf("%s is not removed: %v", pod.ID, removal.Err)
	}
	for _, path := range []string{s.Node.Path, s.neighbour} {
		if f, err := node.Look(path); err != nil || !f.HasEth0 || !f.LoUp {
			s.t.Errorf("%s harmed %s: %+v, %v", pod.ID, path, f, err)
		}
	}
	return fmt.Sprint(errors.Join(removal.Said...))
}
