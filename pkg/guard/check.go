// SPDX-License-Identifier: Apache-2.0

package guard

import "context"

// A Check is one way in which pod networking fails: how to see it, what it
// costs, and what to do about it. It is data; a program lists its checks in one
// ordered slice and hands that to Run. T is what the probes look at.
type Check[T any] struct {
	Name      string // kebab-case: config key, log field and docs anchor
	Summary   string // the failure as the user meets it, one sentence
	Detection string // how it is seen, for those who look for themselves
	Remedy    string // what the operator does, imperative

	When    Stage  // the stages that run the check; zero runs it never
	Default Policy // where the settings name no policy; the zero Policy is invalid

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

	// Quiet marks a Repair that is part of normal life, such as bringing up a
	// new sandbox's lo: it is reported but is no incident, hence not logged.
	Quiet bool

	// Needs are checks that must not have a finding, or this one is skipped; minor
	// findings do not count.
	// They stand earlier in the slice.
	Needs []*Check[T]

	// Probe reports every occurrence of the failure. An error without findings means
	// that it could not tell, or, if Skip made it, that the check does not apply here. Findings with an error stand, and the error is
	// reported beside them: evidence in hand survives a later look that fails. A
	// probe that has evidence and looks on hands it over first, with Hold, so
	// that it also survives a look that hangs.
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

// String gives "object problem", a clause that can stand in a sentence.
func (f Finding) String() string { return f.Object + " " + f.Problem }
