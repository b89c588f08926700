// SPDX-License-Identifier: Apache-2.0

//go:build race

package ledger

// raceEnabled tells tests that take the longer for it to do less.
const raceEnabled = true
