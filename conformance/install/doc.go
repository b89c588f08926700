// SPDX-License-Identifier: Apache-2.0

// Package install installs the guard on nodes and takes it away again: while
// pods come and go, while it is killed, and while the disk is full. Its judges
// are the built guardctl, which selects in a directory as the runtimes do, and
// libcni.
package install
