// SPDX-License-Identifier: Apache-2.0

package load

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// kills is how many instants of a call are tried, spread over its usual length
// and half as much again.
const kills = 100

// The node's power fails, or the runtime's deadline does: the guard is killed
// somewhere in ADD. Its record is there, whole, or it is not there.
func TestKilledInADD(t *testing.T) {
	l := newLedger(t)
	netns := l.sandbox("cni-subject")
	whole := 0
	length := l.length("ADD", "measured", netns)
	for i := range kills {
		id := fmt.Sprintf("killed-%02d", i)
		l.kill("ADD", id, netns, length*time.Duration(3*i)/(2*kills))
		if slices.Contains(l.records("live"), id) {
			whole++
		}
		if err := l.command("ADD", id, netns).Run(); err != nil {
			t.Errorf("ADD after one that was killed: %v", err)
		}
	}
	t.Logf("an ADD takes %s; of %d killed, %d had left their record", length, kills, whole)
	if whole == 0 || whole == kills {
		t.Error("the instants are not spread around the writing of the record")
	}
	if n := len(l.records("live")); n != kills+1 {
		t.Errorf("%d records; want %d", n, kills+1)
	}
}

// Killed in DEL, the record is in one of the two folders: a repeated DEL has it.
func TestKilledInDEL(t *testing.T) {
	l := newLedger(t)
	netns := l.sandbox("cni-subject")
	moved := 0
	if err := l.command("ADD", "measured", netns).Run(); err != nil {
		t.Fatal(err)
	}
	length := l.length("DEL", "measured", netns)
	for i := range kills {
		id := fmt.Sprintf("killed-%02d", i)
		if err := l.command("ADD", id, netns).Run(); err != nil {
			t.Fatal(err)
		}
		l.kill("DEL", id, netns, length*time.Duration(3*i)/(2*kills))
		live, gone := slices.Contains(l.records("live"), id), slices.Contains(l.records("gone"), id)
		if live == gone {
			t.Errorf("record of %s: live %t, gone %t; want one of the two", id, live, gone)
		}
		if gone {
			moved++
		}
	}
	t.Logf("a DEL takes %s; of %d killed, %d had moved their record", length, kills, moved)
	if moved == 0 || moved == kills {
		t.Error("the instants are not spread around the moving of the record")
	}
}

// length measures calls that nobody kills, and gives the longest.
func (l *ledger) length(verb, id, netns string) time.Duration {
	l.t.Helper()
	var longest time.Duration
	for range 5 {
		began := time.Now()
		if err := l.command(verb, id, netns).Run(); err != nil {
			l.t.Fatalf("%s: %v", verb, err)
		}
		longest = max(longest, time.Since(began))
	}
	return longest
}

// kill starts a call and kills it after a while, or finds it ended.
func (l *ledger) kill(verb, id, netns string, after time.Duration) {
	l.t.Helper()
	cmd := l.command(verb, id, netns)
	if err := cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
	_ = cmd.Wait() // killed or ended: what it left behind is what counts
	timer.Stop()
}
