// SPDX-License-Identifier: Apache-2.0

// Package installer puts the guard into the chain of a node, takes it out, and
// changes its programs, so that at every instant the runtime selects a network
// all of whose plugins are there: whatever is killed, and whenever the disk is
// full. Each command makes a Plan, whose steps follow each other in the order
// that keeps this so, and each of which is done whole or not at all. Running the
// command again makes a plan of what is left.
//
// On install programs come first and the conflist last; on uninstall the other
// way round. What changes a file writes the new one beside it, under a name that
// nobody loads or runs, and renames it.
package installer
