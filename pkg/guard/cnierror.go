// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"fmt"
	"strings"

	"github.com/containernetworking/cni/pkg/types"
)

// Error codes of CNI answers (SPEC 1.1, section "Error").
const (
	// CodeCheck is a refusal by a check that names no code of its own: the
	// first of the codes that the spec leaves to plugins.
	CodeCheck uint = 100
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
	code := o.Code
	switch {
	case r.Stage == Status:
		code = CodeImpaired
	case code == 0:
		code = CodeCheck
	}
	return types.NewError(code, o.Sentence(), o.Advice())
}

// Sentence says what is wrong: "host-loopback: node/lo is down".
func (o Outcome) Sentence() string {
	return o.Check + ": " + clauses(o.Findings)
}

// clauses joins findings to a part of a sentence.
func clauses(findings []Finding) string {
	all := make([]string, len(findings))
	for i, f := range findings {
		all[i] = f.String()
	}
	return strings.Join(all, ", ")
}

// Advice says what to do: the remedy, why a repair did not work, and where to
// read more.
func (o Outcome) Advice() string {
	advice := fmt.Sprintf("%s Read more: guardctl explain %s", o.Remedy, o.Check)
	if o.Err != nil {
		advice = o.Err.Error() + ". " + advice
	}
	return advice
}
