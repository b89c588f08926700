// SPDX-License-Identifier: Apache-2.0

package matrix

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	types100 "github.com/containernetworking/cni/pkg/types/100"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/node"
	"github.com/cni-guard/cni-guard/conformance/rigtest"
)

// A pass is one way of a pod through all verbs.
type pass struct {
	*testing.T
	*rigtest.Rig

	rel     release
	sbr     bool
	runtime *chain.Runtime
	pod     chain.Pod
	result  *types100.Result
}

func (p *pass) all() {
	p.Helper()
	p.add()
	p.check()
	p.status()
	p.collectNothing()
	p.remove()
	p.collectRest()
}

func (p *pass) add() {
	p.Helper()
	var err error
	if p.result, err = p.runtime.Add(p.Context(), p.pod); err != nil {
		p.Fatal("ADD:", err)
	}
	p.wantHandedOn()
	p.wantLease(true)
}

func (p *pass) check() {
	p.Helper()
	err := p.runtime.Check(p.Context(), p.pod)
	switch {
	case !p.rel.check && err == nil:
		p.Error("CHECK succeeded in a version that has none")
	case !p.rel.check:
	case p.sbr && err != nil && strings.Contains(err.Error(), "Failed to find Gateway"):
		p.Log("no CHECK by the guard: the primary's, which comes first, misses the route that sbr moved")
		return
	case err != nil:
		p.Error("CHECK:", err)
	}
	p.wantCalls("CHECK", count(p.rel.check))
}

// status: libcni calls no plugin before 1.1.0.
func (p *pass) status() {
	p.Helper()
	if err := p.runtime.Status(p.Context()); err != nil {
		p.Error("STATUS:", err)
	}
	p.wantCalls("STATUS", count(p.rel.statusAndGC))
}

// collectNothing: a GC that names the pod leaves it alone.
func (p *pass) collectNothing() {
	p.Helper()
	if err := p.runtime.GC(p.Context(), p.pod); err != nil {
		p.Error("GC:", err)
	}
	p.wantCalls("GC", count(p.rel.statusAndGC))
	p.wantCalls("DEL", 0)
	p.wantLease(true)
	p.wantRecords("live")
}

func (p *pass) remove() {
	p.Helper()
	for _, time := range []string{"first", "repeated"} {
		if r := p.runtime.Remove(p.Context(), p.pod); !r.Complete() || len(r.Said) > 0 {
			p.Errorf("%s DEL: %v %v", time, r.Err, r.Said)
		}
	}
	p.wantCalls("DEL", 2)
	p.wantLease(false)
	p.wantNoRules()
	p.wantRecords("gone") // for a DEL that is repeated
}

// collectRest: a GC that names nothing finds nothing but the guard's record.
func (p *pass) collectRest() {
	p.Helper()
	if err := p.runtime.GC(p.Context()); err != nil {
		p.Error("GC of nothing:", err)
	}
	p.wantCalls("GC", 2*count(p.rel.statusAndGC))
	if p.rel.statusAndGC {
		p.wantRecords()
	}
}

// wantRecords asserts in which directories of the guard the pod is on record.
func (p *pass) wantRecords(folders ...string) {
	p.Helper()
	files, err := filepath.Glob(filepath.Join(p.Dir, "state", "*", chain.Name+":"+p.pod.ID+":eth0"))
	if err != nil {
		p.Fatal(err)
	}
	var found []string
	for _, f := range files {
		found = append(found, filepath.Base(filepath.Dir(f)))
	}
	if !slices.Equal(found, folders) {
		p.Errorf("the pod is on record in %v; want %v", found, folders)
	}
}

func count(called bool) int {
	if called {
		return 1
	}
	return 0
}

func (p *pass) wantNoRules() {
	p.Helper()
	rules, err := node.FilterRules(p.pod.ID, chain.Address(p.result)+"/")
	if err != nil {
		p.Fatal(err)
	}
	if len(rules) > 0 {
		p.Errorf("left in iptables:\n%s", strings.Join(rules, "\n"))
	}
}

func (p *pass) wantLease(want bool) {
	p.Helper()
	held, err := chain.Leases(p.LeaseDir(), p.pod)
	if err != nil {
		p.Fatal(err)
	}
	if (len(held) == 1) != want {
		p.Errorf("leases are %v; want one: %t", held, want)
	}
}
