// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/guard"
)

// stands reports whether an outcome refuses nothing and may stand for months: minor
// findings, what is wrong with the node and only the operator repairs, and that nobody
// can tell which files are whose. The rest is about one pod.
func stands(o guard.Outcome) bool {
	switch o.Check {
	case checks.BridgeNetfilter.Name, checks.IPForwarding.Name:
		return (o.State == guard.Failed || o.State == guard.Unknown) && !o.Refuses()
	case checks.Conflist.Name, checks.PodCIDR.Name:
		return o.Minor() || o.State == guard.Unknown
	}
	return o.Minor()
}

// told remembers what was logged in this boot of that which stands: a line for each
// pod would push what matters out of the bounded file of events.
type told struct{ dir string }

// toldAtMost bounds what is remembered of a check, in bytes. What is more is told
// again.
const toldAtMost = 8 << 10

// again reports whether a check said the same before in this boot, and remembers
// it if not.
func (t told) again(o guard.Outcome) bool {
	text := o.Sentence()
	if o.Err != nil {
		text += o.Err.Error()
	}
	return t.seen(o.Check, text)
}

// seen reports whether a text was seen before in this boot, in the file of that
// name, and remembers it if not. Where it cannot remember, every text is new.
func (t told) seen(name, text string) bool {
	path := filepath.Join(t.dir, name)
	before, err := os.ReadFile(path)
	if err == nil && slices.Contains(strings.Split(string(before), "\x00"), text) {
		return true
	}
	if len(before)+len(text) > toldAtMost {
		before = nil
	}
	if os.MkdirAll(t.dir, 0o700) == nil {
		_ = os.WriteFile(path, append(append(before, text...), 0), 0o600) // half of it is something else, and told again
	}
	return false
}
