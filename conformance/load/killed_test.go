// SPDX-License-Identifier: Apache-2.0

package load

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// stops returns the numbers of the stops to be killed at: of the two that a system
// call has, one, and none of those at which the Go runtime still starts up. The
// runtime stops more or less often each time, so the last are beyond the end.
func stops(all int) (numbers []int) {
	for n := all / 2; n <= all+all/8; n += 2 {
		numbers = append(numbers, n)
	}
	return numbers
}

// The node's power fails, or the runtime's deadline does: the guard is killed
// somewhere in ADD. Its record is there, whole, or it is not there.
func TestKilledInADD(t *testing.T) {
	l := newLedger(t)
	netns := l.sandbox("cni-subject")
	instants := stops(l.kill(0, "ADD", "measured", netns))
	for _, n := range instants {
		l.kill(n, "ADD", fmt.Sprintf("killed-%04d", n), netns)
	}
	whole := len(l.records("live")) - 1 // fails the test for one that is not
	t.Logf("of %d killed, %d had left their record", len(instants), whole)
	if whole == 0 || whole == len(instants) {
		t.Error("the instants are not spread around the writing of the record")
	}
	first := fmt.Sprintf("killed-%04d", instants[0])
	l.kill(0, "ADD", first, netns) // what they left must not be in the way
	if !slices.Contains(l.records("live"), first) {
		t.Error("an ADD after one that was killed left no record")
	}
}

// Killed in DEL, the record is in one of the two directories: a repeated DEL has it.
func TestKilledInDEL(t *testing.T) {
	l := newLedger(t)
	netns := l.sandbox("cni-subject")
	l.kill(0, "ADD", "measured", netns)
	instants := stops(l.kill(0, "DEL", "measured", netns))
	var ids []string
	for _, n := range instants {
		id := fmt.Sprintf("killed-%04d", n)
		ids = append(ids, id)
		if err := l.command("ADD", id, netns).Run(); err != nil {
			t.Fatal(err)
		}
		l.kill(n, "DEL", id, netns)
	}
	live, gone := l.records("live"), l.records("gone")
	for _, id := range ids {
		if slices.Contains(live, id) == slices.Contains(gone, id) {
			t.Errorf("the record of %s is in both folders or in none", id)
		}
	}
	moved := len(gone) - 1
	t.Logf("of %d killed, %d had moved their record", len(instants), moved)
	if moved == 0 || moved == len(instants) {
		t.Error("the instants are not spread around the moving of the record")
	}
}

// kill kills a call at its stop number n; 0 lets it end. It returns how many
// stops the call had.
func (l *ledger) kill(n int, verb, id, netns string) int {
	l.t.Helper()
	path := filepath.Join(filepath.Dir(l.state), "stdin")
	if err := os.WriteFile(path, l.conf, 0o600); err != nil {
		l.t.Fatal(err)
	}
	stdin, err := os.Open(path)
	if err != nil {
		l.t.Fatal(err)
	}
	defer stdin.Close()
	stops, err := runUntil(n, l.command(verb, id, netns), stdin)
	if err != nil {
		l.t.Fatalf("%s of %s: %v", verb, id, err)
	}
	return stops
}
