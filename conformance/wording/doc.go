// SPDX-License-Identifier: Apache-2.0

// Package wording tests the guard's errors on the library with which containerd
// reads them: which complete a removal, and which are tried again.
package wording
