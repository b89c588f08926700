// SPDX-License-Identifier: Apache-2.0

// Package load runs the guard many times, at once and one after the other,
// takes the disk from under it, and kills it wherever it happens to be. Its
// tests are all it has.
package load
