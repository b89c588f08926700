// SPDX-License-Identifier: Apache-2.0

// Package matrix runs our plugins through every version of the spec, and through every
// pair of a list and a result of different versions: the guard
// behind each primary plugin and all reference plugins that chain, and our
// loopback beside the reference one. Its tests are all it has.
package matrix
