// SPDX-License-Identifier: Apache-2.0

// Package selftest calls the installed plugins in a node of their own: network,
// mount and process namespaces in which every file system is read-only and the
// directories that plugins write to are empty ones in memory. It shows what they
// would do on the real node, and changes nothing there.
package selftest
