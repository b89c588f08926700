// SPDX-License-Identifier: Apache-2.0

package load

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
)

// The state directory's file system has no room for the guard: pods start and stop
// all the same, a lost one is refused all the same, and the journal says that
// there is no record.
func TestNoRoom(t *testing.T) {
	for _, lack := range []struct{ name, options, says string }{
		{"disk", "size=64k", "no space left on device"},
		{"inodes", "nr_inodes=1", "no space left on device"},
		{"read-only", "ro", "read-only file system"},
	} {
		t.Run(lack.name, func(t *testing.T) {
			f := newFull(t, lack.options)
			f.fill()
			for i := range 3 {
				p := f.add(fmt.Sprintf("pod-%d", i))
				f.wantSaid("cannot record the sandbox", lack.says)
				f.wantRemoved(p)
			}
			lost := f.add("lost")
			before := f.snapshot()
			lost.Netns = f.Node.Path
			f.wantRefused(lost)
			if torn := f.records(); len(torn) > 0 {
				t.Errorf("half a record may be in %q", torn)
			}
			if after := f.snapshot(); after != before {
				t.Errorf("the node changed.\nbefore:\n%s\nafter:\n%s", before, after)
			}
		})
	}
}

// records returns the files of the state directory that have, or are to have, something
// in them: the lock of the tunnels and what says until when they are warm have not.
func (f *full) records() []string {
	all, _ := filepath.Glob(filepath.Join(f.state, "*", "*"))
	return slices.DeleteFunc(all, func(path string) bool {
		empty, _ := filepath.Match(filepath.Join(f.state, "tunnels", "quiet-*"), path)
		return empty || path == filepath.Join(f.state, "tunnels", "lock")
	})
}

// The room is used up when pods have started already, and comes back later.
func TestRoomUsedUp(t *testing.T) {
	f := newFull(t, "size=64k")
	ends, isLost := f.add("ends"), f.add("is-lost")
	f.wantSilence()
	f.fill()
	f.wantRemoved(ends)
	neighbour := f.add("neighbour")
	isLost.Netns = neighbour.Netns
	f.wantRefused(isLost)
	f.wantRemoved(neighbour)

	f.free()
	f.said.Reset()
	f.wantRemoved(f.add("later"))
	f.wantSilence()
}
