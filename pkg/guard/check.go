// SPDX-License-Identifier: Apache-2.0

// Package guard is the engine that runs checks. It knows no networking: what a
// check looks at is the type parameter T.
//
// A probe has three outcomes, and they are never folded into one another:
//
//   - no finding: the failure is not there;
//   - findings: the failure is there, once per finding;
//   - an error: the probe could not tell. That is the state Unknown. It is
//     always reported and never refuses anything.
//
// Findings together with an error are findings: what was seen stays seen when a
// later look fails. So do findings that a probe handed over with Hold before it
// panicked or hung.
//
// A panic and a missed deadline are errors of the probe, hence unknowns: a
// guard must not become the outage that it prevents. A repair that failed because
// the kernel was slow or busy proves nothing either. Its check is unknown, too,
// until a finding is read after a repair that had its chance.
package guard

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// A Check is one failure mode of pod networking, with its detection and remedy. It is
// data: a program lists its checks in one ordered slice and passes that to Run. T is what
// the probes read.
type Check[T any] struct {
	ID        string // "CG101": stable, and never given to another check; pkg/checks/ids.txt has them all
	Name      string // kebab-case: config key, log field and docs anchor
	Summary   string // the failure as a user sees it, one sentence
	Detection string // how to recognize it by hand
	Remedy    string // what the operator does, in the imperative

	When    Stage  // the stages that run the check; zero: none
	Default Policy // if the settings name no policy; the zero Policy is invalid

	// Code is the CNI error code of a refusal: 8 for the identity of a
	// namespace, zero for 100, the first that the CNI spec leaves to plugins.
	Code uint

	// StatusCode is the CNI error code of a refusal at STATUS: 50 for a node where
	// no ADD can work, zero for 51, a node whose running pods are impaired.
	StatusCode uint

	// Options documents the keys that the configuration of the check has beside policy
	// and repair: a pointer to the zero struct, such as &ConflistOptions{}, which is
	// never written to; nil where there are none. OptionsOf returns the values.
	Options Options

	// Quiet marks a repair that is normal, such as bringing up a new sandbox's lo. It is
	// reported but not logged.
	Quiet bool

	// Needs are checks that must not have a finding, or this one is skipped; minor
	// findings do not count. They stand earlier in the slice.
	Needs []*Check[T]

	// Probe reports every occurrence of the failure. An error without findings means
	// that it could not tell, or, if Skip made it, that the check does not apply here.
	// Findings with an error stand, and the error is reported beside them: evidence in
	// hand survives a later read that fails. A probe that has evidence and reads on
	// passes it to Hold first, so that it also survives a read that hangs.
	Probe func(context.Context, *T) ([]Finding, error)

	// Repair removes the failure; nil where only the operator can. The check is
	// probed again afterwards, so Repair need not verify its own work. It may be
	// called several times, as one that fails is tried again.
	Repair func(context.Context, *T) error
}

// A Finding is one occurrence of the failure that a check describes.
type Finding struct {
	Object  string `json:"object"`           // what is wrong: "node/lo"
	Problem string `json:"problem"`          // how: "is down"
	Remedy  string `json:"remedy,omitempty"` // what to do about this one; "": what the check says

	// Evidence is what was read, as "file = value" or a quoted rule; "": Problem has it.
	Evidence string `json:"evidence,omitempty"`
	// Impact is the consequence for pods, a clause; "": Problem or the check's Summary has it.
	Impact string `json:"impact,omitempty"`
	// Command is one command that an operator can run as it is; "": there is no single
	// one, or what is known does not prove which.
	Command string `json:"command,omitempty"`
	// Since is when the failure was first seen; the zero time: not known.
	Since time.Time `json:"since,omitzero"`

	// Change is what Repair does about it, with the value before and after:
	// "/proc/sys/net/ipv4/ip_forward: 0 -> 1". "": the event of a repair has the problem only.
	Change string `json:"change,omitempty"`

	// Minor marks what an operator should hear of, but what refuses nothing even
	// where the policy is to enforce.
	Minor bool `json:"minor,omitempty"`
}

// A Declaration is what the configuration needs of a check. A program that does not
// run the check need not link the rest.
type Declaration struct {
	Name    string
	Options Options // as in Check
}

// Declaration returns the declaration of the check.
func (c *Check[T]) Declaration() Declaration { return Declaration{c.Name, c.Options} }

// String returns "object problem", a clause of a sentence.
func (f Finding) String() string { return f.Object + " " + f.Problem }

// A Stage is a moment at which checks run. Stages combine with |.
type Stage uint8

const (
	Add    Stage = 1 << iota // CNI ADD, after the other plugins
	Del                      // CNI DEL, before the other plugins
	Verify                   // CNI CHECK
	Status                   // CNI STATUS
	Node                     // by hand or by an agent, no pod involved
)

// MayRepair reports whether checks may change anything at this stage. CHECK only
// reads: its caller expects an answer, not a change. STATUS repairs what ADD would:
// an error makes the node NotReady, and then no pod starts whose ADD would repair.
func (s Stage) MayRepair() bool { return s&Verify == 0 }

// String returns the stages as the documentation names them: "ADD, DEL".
func (s Stage) String() string {
	var names []string
	for _, stage := range []struct {
		stage Stage
		name  string
	}{{Add, "ADD"}, {Del, "DEL"}, {Verify, "CHECK"}, {Status, "STATUS"}, {Node, "node"}} {
		if s&stage.stage != 0 {
			names = append(names, stage.name)
		}
	}
	return strings.Join(names, ", ")
}

// A Policy is the consequence of a finding. The zero Policy is invalid: a forgotten
// field must mean neither "off" nor "enforce".
type Policy uint8

const (
	Off     Policy = iota + 1 // the check does not run
	Warn                      // findings are reported
	Enforce                   // findings refuse the call
)

// policyNames are the words of the configuration, in ascending strictness.
func policyNames() []string { return []string{"off", "warn", "enforce"} }

// String returns the word of the configuration, or "invalid".
func (p Policy) String() string {
	if p < Off || p > Enforce {
		return "invalid"
	}
	return policyNames()[p-1]
}

// UnmarshalText accepts off, warn and enforce.
func (p *Policy) UnmarshalText(text []byte) error {
	for i, name := range policyNames() {
		if string(text) == name {
			*p = Policy(i + 1)
			return nil
		}
	}
	return fmt.Errorf("policy %q is unknown%s", text, Suggest(string(text), policyNames()))
}

// MarshalText returns a text that UnmarshalText accepts.
func (p Policy) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// A notApplicable is the error that Skip returns.
type notApplicable struct{ reason string }

func (e notApplicable) Error() string { return "not applicable: " + e.reason }

// Skip returns the error by which a probe reports that its check does not apply
// here. The reason is a clause for people: "no interface of the node is a tunnel".
// The outcome is then Skipped, unless the probe has findings, which stand.
func Skip(reason string) error { return notApplicable{reason} }

// Skips reports whether an error is Skip's.
func Skips(err error) bool {
	_, skips := SkipReason(err)
	return skips
}

// SkipReason returns the reason that Skip was given.
func SkipReason(err error) (reason string, skips bool) {
	var e notApplicable
	skips = errors.As(err, &e)
	return e.reason, skips
}
