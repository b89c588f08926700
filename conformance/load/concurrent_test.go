// SPDX-License-Identifier: Apache-2.0

package load

import (
	"fmt"
	"slices"
	"sync"
	"testing"
)

// A node that starts calls the guard for every pod at once. No record may be
// lost, and each must move once when its pod ends.
func TestConcurrentADDAndDEL(t *testing.T) {
	const pods = 200
	l := newLedger(t)
	var ids, paths []string
	for i := range pods {
		id := fmt.Sprintf("pod-%03d", i)
		ids, paths = append(ids, id), append(paths, l.sandbox(id))
	}
	first, second := ids[:pods/2], ids[pods/2:]

	l.all("ADD", first, paths[:pods/2])
	l.wantRecords("live", first)
	l.wantRecords("gone", nil)

	// Pods end while others start.
	var ending sync.WaitGroup
	ending.Go(func() { l.all("DEL", first, paths[:pods/2]) })
	l.all("ADD", second, paths[pods/2:])
	ending.Wait()
	l.wantRecords("live", second)
	l.wantRecords("gone", first)

	l.all("DEL", second, paths[pods/2:])
	l.wantRecords("live", nil)
	l.wantRecords("gone", ids)
}

// all calls the guard for every pod at once.
func (l *ledger) all(verb string, ids, paths []string) {
	var calls sync.WaitGroup
	for i, id := range ids {
		calls.Go(func() {
			if err := l.command(verb, id, paths[i]).Run(); err != nil {
				l.t.Errorf("%s of %s: %v", verb, id, err)
			}
		})
	}
	calls.Wait()
}

func (l *ledger) wantRecords(folder string, want []string) {
	l.t.Helper()
	got := l.records(folder) // sorted, as the file names are
	if !slices.Equal(got, want) {
		l.t.Errorf("%s has %d records; want %d.\n got %v\nwant %v", folder, len(got), len(want), got, want)
	}
}
