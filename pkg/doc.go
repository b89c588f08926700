// SPDX-License-Identifier: Apache-2.0

// Package pkg is the parent of the packages that others may import. It has no code of
// its own: its tests are the rules of the architecture.
package pkg
