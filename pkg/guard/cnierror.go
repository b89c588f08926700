// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"fmt"
	"slices"
	"strings"

	"github.com/containernetworking/cni/pkg/types"
)

// Error codes of CNI answers (SPEC 1.1, section "Error").
const (
	// CodeCheck is a refusal by a check that names no code of its own: the
	// first of the codes that the spec leaves to plugins.
	CodeCheck uint = 100
	// CodeUnavailable answers STATUS: no ADD can work.
	CodeUnavailable uint = 50
	// CodeImpaired answers STATUS: pods that run have limited connectivity.
	CodeImpaired uint = 51
)

// CNIError gives the refusal as a CNI error: msg is one sentence with check,
// object and problem; details say what to do. It is nil when nothing refuses.
func (r Report) CNIError() *types.Error {
	o := r.Refusal()
	if o == nil {
		return nil
	}
	refusal := *o
	refusal.Findings = slices.DeleteFunc(slices.Clone(o.Findings), func(f Finding) bool { return f.Minor })
	return types.NewError(refusal.code(r.Stage), refusal.Sentence(), refusal.Advice())
}

func (o Outcome) code(stage Stage) uint {
	code, byDefault := o.Code, CodeCheck
	if stage == Status {
		code, byDefault = o.StatusCode, CodeImpaired
	}
	if code == 0 {
		return byDefault
	}
	return code
}

// Sentence says what is wrong: "host-loopback: node/lo is down".
func (o Outcome) Sentence() string {
	return o.Check + ": " + clauses(o.Findings)
}

// Changes returns what the repair did, or tried, for each finding that says so.
func (o Outcome) Changes() []string {
	var all []string
	for _, f := range o.Findings {
		if f.Change != "" {
			all = append(all, f.Change)
		}
	}
	return all
}

// clauses joins findings to a part of a sentence.
func clauses(findings []Finding) string {
	all := make([]string, len(findings))
	for i, f := range findings {
		all[i] = f.String()
	}
	return strings.Join(all, ", ")
}

// Advice says what to do: the remedy of each finding, why a repair did not work,
// and where to read more.
func (o Outcome) Advice() string {
	advice := fmt.Sprintf("%s Read more: guardctl explain %s", strings.Join(o.Remedies(), " "), o.Check)
	if o.Err != nil {
		advice = o.Err.Error() + ". " + advice
	}
	return advice
}

// Remedies gives what to do about the findings, each sentence once: the check's
// own remedy for those that bring none.
func (o Outcome) Remedies() []string {
	if len(o.Findings) == 0 {
		return []string{o.Remedy}
	}
	var all []string
	for _, f := range o.Findings {
		remedy := f.Remedy
		if remedy == "" {
			remedy = o.Remedy
		}
		if !slices.Contains(all, remedy) {
			all = append(all, remedy)
		}
	}
	return all
}
