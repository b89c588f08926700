// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/node"
)

// hold makes the subject: a pod whose sandbox lives as long as a process.
func (s *rig) hold() *node.Process {
	s.Helper()
	p := s.holder()
	s.pod, s.result = s.add("subject", p.Path())
	return p
}

// holder starts a sandbox that lives as long as a process.
func (s *rig) holder() *node.Process {
	s.Helper()
	p, err := node.NewHolder()
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = p.End() })
	return p
}

// pin makes the subject: a pod whose sandbox a bind mount keeps.
func (s *rig) pin() *node.Pin {
	s.Helper()
	p, err := node.NewPin("cni-subject")
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = p.Remove() }) // fails where the test removed it
	s.pod, s.result = s.add("subject", p.Path)
	return p
}

// neighbour adds another pod and returns the path of its sandbox.
func (s *rig) neighbour() string {
	s.Helper()
	p := s.holder()
	s.add("neighbour", p.Path())
	return p.Path()
}

// lost waits until the kernel has taken the subject's sandbox down.
func (s *rig) lost() {
	s.Helper()
	if err := s.Node.AwaitGone(chain.NodeSide(s.result)); err != nil {
		s.Fatal(err)
	}
}

// end ends the process of the subject's sandbox, and the sandbox with it.
func (s *rig) end(p *node.Process) {
	s.Helper()
	if err := p.End(); err != nil {
		s.Fatal(err)
	}
	s.lost()
}

// reuse lets a process of the calling thread's namespace have the ID.
func (s *rig) reuse(pid int) {
	s.Helper()
	p, err := node.Reuse(pid)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = p.End() })
}

// reuseWithin lets a process that lives in another pod have the ID.
func (s *rig) reuseWithin(netns string, pid int) {
	s.Helper()
	var p *node.Process
	err := node.Within(netns, func() (err error) {
		p, err = node.Reuse(pid)
		return err
	})
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = p.End() })
}
