// SPDX-License-Identifier: Apache-2.0

// Package checks holds the failure modes, one file each, and the ordered list
// of them. It knows no CNI: a Target says what to look at in the kernel's words.
package checks
