// SPDX-License-Identifier: Apache-2.0

package trace

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/pkg/actor"
)

// dirs are the files of the directories as they were last seen: what tells one state of a
// file from the next, by path.
type dirs struct {
	names []string
	files map[string]string
}

// scan looks at directories. One that cannot be read has no files.
func scan(names []string) dirs {
	d := dirs{names: names, files: map[string]string{}}
	for _, dir := range names {
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			path := filepath.Join(dir, e.Name())
			var st unix.Stat_t
			if err := unix.Lstat(path, &st); err == nil && st.Mode&unix.S_IFMT != unix.S_IFDIR {
				d.files[path] = fmt.Sprint(st.Dev, st.Ino, st.Size, st.Mtim, st.Mode, st.Uid)
			}
		}
	}
	return d
}

// filesChanged reports how the directories differ from what they were, and who wrote. A file
// that was written for a moment only, as the new version of another one, is left out.
func (t *Tracer) filesChanged(written []actor.Write) {
	before := t.dirs
	t.dirs = scan(before.names)
	var changes []Change
	for path, now := range t.dirs.files {
		was, there := before.files[path]
		switch {
		case !there:
			changes = append(changes, Change{Object: path, What: "added"})
		case was != now:
			changes = append(changes, Change{Object: path, What: "changed"})
		}
	}
	for path := range before.files {
		if _, there := t.dirs.files[path]; !there {
			changes = append(changes, Change{Object: path, What: "removed"})
		}
	}
	slices.SortFunc(changes, func(a, b Change) int { return strings.Compare(a.Object, b.Object) })
	for _, c := range changes {
		c.Time, c.Kind = time.Now(), KindFile
		at := -1
		for i, w := range written { // the last one
			if w.Path == c.Object {
				at = i
			}
		}
		switch {
		case at >= 0:
			c.Time = written[at].Time
			c.Who = t.writer(written[at], filepath.Base(c.Object))
		case t.blind.files:
			c.Who = t.unknown(c.Time, filepath.Base(c.Object), "the kernel reports to root only who writes a file")
		default:
			c.Who = t.unknown(c.Time, filepath.Base(c.Object), "the kernel did not report who wrote: the file was changed through another path")
		}
		t.send(c)
	}
}
