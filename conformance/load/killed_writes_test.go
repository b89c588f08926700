// SPDX-License-Identifier: Apache-2.0

package load

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/cni-guard/cni-guard/conformance/node"
)

// Killed while it reports: of the event file at most the line that is being
// written is torn, and none of those that were there is lost, though this one fills the file and puts it aside.
func TestKilledWhileReporting(t *testing.T) {
	l := newLedger(t)
	l.configure("checks", map[string]any{"pod-address": map[string]string{"policy": "warn"}}) // the sandbox has no eth0
	netns := l.sandbox("cni-subject")
	const limit = 512 << 10 // of the file; one event more, and it is put aside
	line := []byte(`{"time":"2026-01-01T00:00:00Z","msg":"an older event"}` + "\n")
	old := bytes.Repeat(line, limit/len(line))
	l.fillEvents(old)
	instants := stops(l.kill(0, "ADD", "measured", netns))
	instants = instants[len(instants)*3/10 : len(instants)*9/10] // those around its writing
	written, aside := 0, 0
	for _, n := range instants {
		l.fillEvents(old)
		l.kill(n, "ADD", fmt.Sprintf("killed-%04d", n), netns)
		lines, wasPut := l.events()
		switch before := bytes.Count(old, []byte("\n")); lines {
		case before:
		case before + 1:
			written++
		default:
			t.Errorf("killed at stop %d: %d events are left of %d", n, lines, before)
		}
		if wasPut {
			aside++
		}
	}
	l.wantSpread("written their event", written, len(instants))
	l.wantSpread("put the file aside", aside, len(instants))
}

// Killed while it remembers since when lo of the node is down, or forgets it
// again: the next STATUS can do either.
func TestKilledInSTATUS(t *testing.T) {
	l := newLedger(t)
	l.configure("cniVersion", "1.1.0") // which brought STATUS
	l.configure("statusHoldDown", "1h")
	l.configure("checks", map[string]any{"host-loopback": map[string]any{"repair": false}})
	l.lo(node.SetLoDown)
	instants := third(stops(l.kill(0, "STATUS", "", "")))
	remembered := 0
	for _, n := range instants {
		l.forget()
		l.kill(n, "STATUS", "", "")
		if l.remembers() {
			remembered++
		}
	}
	l.wantSpread("remembered the finding", remembered, len(instants))
	l.wantStatus("0s", false)
	l.wantStatus("1h", true)

	l.lo(node.SetLoUp)
	forgotten := 0
	for _, n := range instants {
		l.remember()
		l.kill(n, "STATUS", "", "")
		if !l.remembers() {
			forgotten++
		}
	}
	l.wantSpread("forgotten the finding", forgotten, len(instants))
	l.remember()
	l.wantStatus("0s", true)
	if l.remembers() {
		t.Error("a finding that is gone is still remembered")
	}
}

// third returns every third of the instants, for what has no half-way that one of
// the others could find: a file is there or it is not.
func third(instants []int) (some []int) {
	for i := 0; i < len(instants); i += 3 {
		some = append(some, instants[i])
	}
	return some
}
