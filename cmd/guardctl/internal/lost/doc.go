// SPDX-License-Identifier: Apache-2.0

// Package lost says what is known of an attachment that is to be released: which
// one is meant, whether its sandbox lives, who else has its address, and how far
// an earlier release has come.
package lost
