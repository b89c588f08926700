// SPDX-License-Identifier: Apache-2.0

// Package selftest runs `guardctl verify` with the real plugins, and looks from
// outside whether anything of it reached the node. Its tests are all it has.
package selftest
