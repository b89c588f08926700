// SPDX-License-Identifier: Apache-2.0

package tunnel

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// LookAgain is how long nobody looks at routes again, when all peers were seen
// to. A peer that appears meanwhile waits for so long at most.
const LookAgain = 30 * time.Second

// Quiet reports whether nothing needs to be done now for those who want the same
// as topic says. It is one stat. A time that lies further ahead than any that was
// written is that of another clock.
func (m Memory) Quiet(topic string, now time.Time) bool {
	info, err := os.Lstat(m.quietPath(topic))
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	left := info.ModTime().Sub(now)
	return 0 < left && left <= LookAgain+time.Second // file systems round times
}

// Hush says that nothing needs to be done until then, but for LookAgain at most.
func (m Memory) Hush(topic string, now, until time.Time) error {
	if latest := now.Add(LookAgain); until.After(latest) {
		until = latest
	}
	path := m.quietPath(topic)
	err := os.Chtimes(path, time.Time{}, until)
	if errors.Is(err, fs.ErrNotExist) {
		err = m.withFolder(func() error {
			f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0o600)
			if err != nil {
				return err
			}
			return f.Close()
		})
		if err == nil {
			err = os.Chtimes(path, time.Time{}, until)
		}
	}
	if err != nil {
		return fmt.Errorf("remember that all is quiet: %w", err)
	}
	return nil
}

// Wake takes back what Hush said.
func (m Memory) Wake(topic string) error {
	if err := os.Remove(m.quietPath(topic)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forget that all was quiet: %w", err)
	}
	return nil
}

// quietPath has a file for each topic: who wants more peers must not be told that
// all is quiet by who wants fewer.
func (m Memory) quietPath(topic string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(topic))
	return m.path(fmt.Sprintf("quiet-%016x", h.Sum64()))
}
