// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"strings"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/node"
)

// remove ends the subject, as the runtime does when a pod is deleted.
func (s *rig) remove() chain.Removal {
	s.Helper()
	r := s.runtime.Remove(s.Context(), s.pod)
	s.Logf("removed in %s; to retry: %v; taken for gone: %v", r.Took, r.Err, r.Said)
	return r
}

// wantStuck asserts that the runtime will try again, and for ever.
func (s *rig) wantStuck(r chain.Removal) {
	s.Helper()
	if r.Complete() {
		s.Error("the removal completed; it should have been stuck")
	}
	if again := s.remove(); again.Complete() {
		s.Error("the second removal completed; it should have been stuck")
	}
}

// wantReleased asserts that the removal is complete and nothing of the subject
// is left on the node but the runtime's own note.
func (s *rig) wantReleased(r chain.Removal) {
	s.Helper()
	if !r.Complete() {
		s.Errorf("the removal is to be retried: %v", r.Err)
	}
	if held := s.leases(s.pod); held != "" {
		s.Errorf("still leased: %s", held)
	}
	words := []string{s.pod.ID}
	if address := chain.Address(s.result); address != "" {
		words = append(words, address+"/")
	}
	rules, err := node.FilterRules(words...)
	if err != nil {
		s.Fatal(err)
	}
	if len(rules) > 0 {
		s.Errorf("still in iptables:\n%s", strings.Join(rules, "\n"))
	}
	if again := s.remove(); !again.Complete() {
		s.Errorf("a repeated removal is to be retried: %v", again.Err)
	}
}

// wantNote asserts that the runtime still has its note of the attachment: the
// guard answered with an error, and the note is not ours to delete.
func (s *rig) wantNote() {
	s.Helper()
	if !s.runtime.Cached(s.pod) {
		s.Error("the runtime's cache entry is gone; it was the runtime's to delete")
	}
}

// wantSame asserts that nothing in the namespace changed.
func (s *rig) wantSame(path, before string) {
	s.Helper()
	if after := s.snapshot(path); after != before {
		s.Errorf("the namespace changed.\nbefore:\n%s\nafter:\n%s", before, after)
	}
}

// wantCutOff asserts that a pod was harmed: its lo is down or its eth0 gone.
func (s *rig) wantCutOff(netns string) {
	s.Helper()
	f := s.look(netns)
	if f.LoUp && f.HasEth0 {
		s.Errorf("the other pod has %+v; it should have been cut off", f)
	}
	s.Logf("the other pod has %+v", f)
}
