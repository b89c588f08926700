// SPDX-License-Identifier: Apache-2.0

package matrix

import (
	"encoding/json"
	"reflect"

	"github.com/cni-guard/cni-guard/conformance/chain"
)

// guardCalls returns the guard's own calls of a verb.
func (p *pass) guardCalls(verb string) []chain.Call {
	var some []chain.Call
	for _, c := range p.runtime.Calls() {
		if c.Plugin == "cni-guard" && c.Verb == verb {
			some = append(some, c)
		}
	}
	return some
}

// wantCalls asserts how often the guard was called with the verb, and that it
// printed nothing: only ADD has a result.
func (p *pass) wantCalls(verb string, want int) {
	p.Helper()
	calls := p.guardCalls(verb)
	if len(calls) != want {
		p.Errorf("the guard had %d %s calls; want %d", len(calls), verb, want)
	}
	for _, c := range calls {
		if len(c.Stdout) > 0 {
			p.Errorf("%s printed %s", verb, c.Stdout)
		}
	}
}

// wantHandedOn asserts that the guard printed the result that it was given.
func (p *pass) wantHandedOn() {
	p.Helper()
	calls := p.guardCalls("ADD")
	if len(calls) != 1 {
		p.Fatalf("the guard had %d ADD calls; want 1", len(calls))
	}
	given, err := calls[0].PrevResult()
	if err != nil {
		p.Fatal(err)
	}
	var printed any
	if err := json.Unmarshal(calls[0].Stdout, &printed); err != nil {
		p.Fatalf("read the guard's result: %v\n%s", err, calls[0].Stdout)
	}
	if given == nil || !reflect.DeepEqual(given, printed) {
		p.Errorf("the guard changed the result.\ngiven:   %v\nprinted: %v", given, printed)
	}
}
