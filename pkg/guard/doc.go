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
// A panic and a missed deadline are errors of the probe, hence unknowns: a
// guard must not become the outage that it prevents.
package guard
