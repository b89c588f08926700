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
