// SPDX-License-Identifier: Apache-2.0

// Package killed interrupts a command wherever it changes something: it is killed
// before one system call after the other, and then has the disk full at one after
// the other. What one of these leaves behind is what a node has after kill -9, or
// with a full disk; the test that asked for it says whether that will do.
//
// Between two calls that change nothing nobody sees a difference, so that only
// those are counted that can change files, of all threads together.
package killed
