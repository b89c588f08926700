// SPDX-License-Identifier: Apache-2.0

//go:build race

package ledger

// raceEnabled reports whether the race detector is on. Slow tests do less then.
const raceEnabled = true
