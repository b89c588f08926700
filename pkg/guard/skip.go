// SPDX-License-Identifier: Apache-2.0

package guard

import "errors"

// A notApplicable is the error that Skip returns.
type notApplicable struct{ reason string }

func (e notApplicable) Error() string { return "not applicable: " + e.reason }

// Skip returns the error by which a probe reports that its check does not apply
// here. The reason is a clause for people: "no interface of the node is a tunnel".
// The outcome is then Skipped, unless the probe has findings, which stand.
func Skip(reason string) error { return notApplicable{reason} }

// Skips reports whether an error is Skip's.
func Skips(err error) bool {
	_, skips := skipReason(err)
	return skips
}

// skipReason returns the reason that Skip was given.
func skipReason(err error) (reason string, skips bool) {
	var e notApplicable
	skips = errors.As(err, &e)
	return e.reason, skips
}
