// SPDX-License-Identifier: Apache-2.0

// Package agent looks after a node between two calls of its runtime: it watches the kernel
// and the runtime's directories, mends what the checks can repair, records what happened,
// and makes its state available. It knows neither Kubernetes nor Prometheus: the program
// exports what Status returns.
//
// On an event the order is: mend, record, export. A program that talks to an API server
// does so last and on its own goroutine, as the way there may lead over the lo that went
// down. The state of the node is computed from each look and never latched: whatever is
// gone is reported as gone, by whomever it was put right.
package agent

import (
	"fmt"

	"github.com/cni-guard/cni-guard/pkg/guard"
)

// A Profile says whether the agent changes anything. The zero Profile is invalid.
type Profile string

// The profiles.
const (
	Observe Profile = "observe" // it reports only, and needs no capability beyond reading
	Repair  Profile = "repair"  // it also repairs what the checks can repair
)

// Profiles returns the valid profiles.
func Profiles() []string { return []string{string(Observe), string(Repair)} }

// A Keep says what the agent does about the runtime's conf dir. The zero Keep is invalid.
type Keep string

// The ways to keep the conf dir.
const (
	KeepOff     Keep = "off"     // changes of the conf dir are left to the full looks
	KeepReport  Keep = "report"  // a finding, an event and a metric within a second
	KeepEnforce Keep = "enforce" // the conf dir is put right
)

// Keeps returns the valid values.
func Keeps() []string { return []string{string(KeepOff), string(KeepReport), string(KeepEnforce)} }

// UnmarshalText accepts the names of the profiles.
func (p *Profile) UnmarshalText(text []byte) error {
	return oneOf((*string)(p), string(text), Profiles())
}

// UnmarshalText accepts off, report and enforce.
func (k *Keep) UnmarshalText(text []byte) error {
	return oneOf((*string)(k), string(text), Keeps())
}

func oneOf(value *string, text string, valid []string) error {
	for _, v := range valid {
		if text == v {
			*value = v
			return nil
		}
	}
	return fmt.Errorf("%q is unknown%s", text, guard.Suggest(text, valid))
}
