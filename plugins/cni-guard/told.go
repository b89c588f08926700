// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"

	"github.com/cni-guard/cni-guard/pkg/guard"
)

// told remembers which minor findings were logged in this boot. They refuse
// nothing and may stand for months; a line for each pod would push what matters
// out of the bounded file of events.
type told struct{ dir string }

// again tells whether a check said the same the last time, and remembers it if
// not. Where it cannot remember, everything is new.
func (t told) again(o guard.Outcome) bool {
	path, sentence := filepath.Join(t.dir, o.Check), o.Sentence()
	if before, err := os.ReadFile(path); err == nil && string(before) == sentence {
		return true
	}
	if os.MkdirAll(t.dir, 0o700) == nil {
		_ = os.WriteFile(path, []byte(sentence), 0o600) // half of it is something else, and told again
	}
	return false
}
