// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// A usage is what one call costs.
type usage struct {
	wall, cpu time.Duration // cpu is user and system time of all threads
	switches  int64         // voluntary context switches
}

// medians has the median of each field for each subject and verb.
type medians map[string]map[string]usage

// measure runs all subjects in turn, round after round.
func measure(rounds int, subjects []subject) (medians, error) {
	const warmUp = 5
	all := map[string]map[string][]usage{}
	for round := range rounds + warmUp {
		for _, verb := range verbs() {
			for _, s := range subjects {
				u, err := s.call(verb)
				if err != nil {
					return nil, err
				}
				if round < warmUp {
					continue
				}
				if all[s.name] == nil {
					all[s.name] = map[string][]usage{}
				}
				all[s.name][verb] = append(all[s.name][verb], u)
			}
		}
	}
	m := medians{}
	for name, byVerb := range all {
		m[name] = map[string]usage{}
		for verb, calls := range byVerb {
			m[name][verb] = usage{
				wall:     median(calls, func(u usage) time.Duration { return u.wall }),
				cpu:      median(calls, func(u usage) time.Duration { return u.cpu }),
				switches: median(calls, func(u usage) int64 { return u.switches }),
			}
		}
	}
	return m, nil
}

func median[T cmp.Ordered](calls []usage, field func(usage) T) T {
	values := make([]T, len(calls))
	for i, u := range calls {
		values[i] = field(u)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// fillLedger writes the records of other pods, each as long as a real one.
func fillLedger(stateDir string, records int) error {
	live := filepath.Join(stateDir, "live")
	if err := os.MkdirAll(live, 0o700); err != nil {
		return fmt.Errorf("fill ledger: %w", err)
	}
	for i := range records {
		id := fmt.Sprintf("%064d", i)
		record := fmt.Sprintf(`{"network":"bench","containerID":%q,"ifName":"eth0","bootID":"other","cookie":%d,"netns":"/run/netns/cni-%d"}`, id, i, i)
		if err := os.WriteFile(filepath.Join(live, "bench:"+id+":eth0"), []byte(record), 0o600); err != nil {
			return fmt.Errorf("fill ledger: %w", err)
		}
	}
	return nil
}
