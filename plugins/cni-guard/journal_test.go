// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"log/slog"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/events"
	"github.com/cni-guard/cni-guard/pkg/guard"
)

// guardctl finds the count of an event by what the event file has of it.
func TestJournalCountsWhatGuardctlReads(t *testing.T) {
	for name, write := range map[string]func(journal){
		"a finding": func(j journal) {
			j.logOutcome(guard.Outcome{Check: "host-netns", State: guard.Failed, Policy: guard.Enforce, Findings: []guard.Finding{{Object: "x", Problem: "is bad"}}})
		},
		"an unknown": func(j journal) {
			j.logOutcome(guard.Outcome{Check: "host-netns", State: guard.Unknown, Policy: guard.Enforce, Err: errors.New("no answer")})
		},
		"trouble":                    func(j journal) { j.warn("cannot record", errors.New("no space")) },
		"text that is not printable": func(j journal) { j.warn("cannot record \x1b[31m", errors.New("a\nb\u202e")) },
		"an answer": func(j journal) {
			j.write(slog.LevelError, subject{state: "held"}, "refused", slog.String("details", "Plugin x failed"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			j := journal{"DEL", config{Entry: checks.Entry{StateDir: dir}, Network: "net"}, &cmdArgs{ContainerID: "c1", IfName: "eth0"}}
			for range 3 {
				write(j)
			}
			var all []events.Event
			for e, err := range events.Read(dir) {
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, e)
			}
			events.Latest(dir, all)
			if len(all) != 1 || all[0].Count != 3 {
				t.Errorf("after three times guardctl reads %+v", all)
			}
		})
	}
}
