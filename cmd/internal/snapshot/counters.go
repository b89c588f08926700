// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"maps"
	"slices"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// watchCounters is the function of a checks.Target that waits for a counter to grow. What
// it returned is recorded, and not each of its readings: how many there are within a time
// depends on the machine, and one more or less could make another verdict.
const watchCounters = "WatchCounters"

func askCounters(were map[string]uint64) []any {
	ask := []any{watchCounters}
	for _, name := range slices.Sorted(maps.Keys(were)) {
		ask = append(ask, name)
	}
	return ask
}

// rereadCounters returns the reading in which a counter has grown, or the last one, of a
// bundle that has each reading. Early versions of guardctl made such; they read at most
// this often.
func rereadCounters(node netstate.View, were map[string]uint64) (values map[string]uint64, err error) {
	const readings = 16
	names := slices.Collect(maps.Keys(were))
	for range readings {
		values, err = checks.ReadCounters(node, names...)
		grown := slices.ContainsFunc(names, func(name string) bool { return values[name] > were[name] })
		if err != nil || grown {
			break
		}
	}
	return values, err
}
