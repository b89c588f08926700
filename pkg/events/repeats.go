// SPDX-License-Identifier: Apache-2.0

package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/sys/unix"
)

const (
	repeatsName = "repeats.json"
	// maxRepeats is how many different events are counted separately. Their first lines
	// take less than half of the event file.
	maxRepeats = 256
	// forgetAfter is the time after which an event that was not repeated counts as new.
	forgetAfter = time.Hour
)

// A Key identifies what an event is about. Events with the same key are repeats: a
// runtime retries a failed removal every few seconds, for days.
type Key struct {
	Command, Network, ContainerID, IfName string
	Check, State, Policy, Message         string
	Cause                                 string // the error or the details; only the words without digits count
}

// String returns a short name for the key, which the file of Repeats uses.
func (k Key) String() string {
	h := fnv.New64a()
	for _, part := range []string{k.Command, k.Network, k.ContainerID, k.IfName, k.Check, k.State, k.Policy, k.Message, wordsOf(k.Cause)} {
		_, _ = io.WriteString(h, part)
		_, _ = h.Write([]byte{0})
	}
	return fmt.Sprintf("%016x", h.Sum64())
}

// wordsOf returns the words of the text that contain no digit. Plugins put ports, times
// and request IDs into their errors, so each attempt would otherwise be a new event.
func wordsOf(text string) string {
	words := strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return strings.ContainsFunc(w, unicode.IsDigit) }), " ")
}

// shared returns the key for all events of a check and state that exceed maxRepeats.
func (k Key) shared() Key { return Key{Check: k.Check, State: k.State, Message: "\x00others"} }

// A Count says how often an event happened, and when. If Shared is set, it counts all
// events of a check and state that are too many to be counted separately.
type Count struct {
	N           int
	First, Last time.Time
	Shared      bool
}

// isLogged reports whether this repeat is written: the first, the tenth, the hundredth and
// so on are.
func (c Count) isLogged() bool {
	n := c.N
	for n >= 10 && n%10 == 0 {
		n /= 10
	}
	return n == 1
}

// Repeats counts the events of a state directory, so that a removal that fails forever
// fills neither the event file nor the runtime's log.
type Repeats struct{ Dir string }

// entry is a Count in the file: the number and the first and last time in seconds.
type entry [3]int64

func (e entry) count() Count {
	return Count{N: int(e[0]), First: time.Unix(e[1], 0), Last: time.Unix(e[2], 0)}
}

// Add counts an event that happens now and reports whether to write it. An event that
// cannot be counted is written.
func (r Repeats) Add(k Key, now time.Time) (Count, bool) {
	uncounted := Count{N: 1, First: now, Last: now}
	file, err := r.open()
	if err != nil {
		return uncounted, true
	}
	defer file.Close()
	if !lock(file) {
		return uncounted, true
	}
	all := load(file)
	name, shared := k.String(), false
	if _, known := all[name]; !known {
		maps.DeleteFunc(all, func(_ string, e entry) bool { return isOld(e, now) })
		if len(all) >= maxRepeats {
			name, shared = k.shared().String(), true
		}
	}
	e := all[name]
	if isOld(e, now) {
		e = entry{0, now.Unix()}
	}
	e[0], e[2] = e[0]+1, now.Unix()
	all[name] = e
	if save(file, all) != nil {
		return uncounted, true
	}
	c := e.count()
	c.Shared = shared
	return c, c.isLogged()
}

// Load returns the counts by the names of their keys, or none if they cannot be read.
func (r Repeats) Load() map[string]Count {
	file, err := os.Open(filepath.Join(r.Dir, repeatsName))
	if err != nil {
		return nil
	}
	defer file.Close()
	counts := map[string]Count{}
	for name, e := range load(file) {
		counts[name] = e.count()
	}
	return counts
}

func isOld(e entry, now time.Time) bool { return now.Sub(time.Unix(e[2], 0)).Abs() > forgetAfter }

func (r Repeats) open() (*os.File, error) {
	open := func() (*os.File, error) {
		return os.OpenFile(filepath.Join(r.Dir, repeatsName), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	}
	file, err := open()
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(r.Dir, 0o700); err == nil {
			file, err = open()
		}
	}
	return file, err
}

// lock waits a few milliseconds: the holder of the lock only writes a few kilobytes.
func lock(file *os.File) bool {
	for try := range 5 {
		time.Sleep(time.Duration(try) * time.Millisecond)
		if unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			return true
		}
	}
	return false
}

// load reads the counts. A damaged file has none; then an event is written once more.
func load(file io.Reader) map[string]entry {
	const limit = 1 << 20
	all := map[string]entry{}
	data, err := io.ReadAll(io.LimitReader(file, limit))
	if err != nil || json.Unmarshal(data, &all) != nil || all == nil {
		return map[string]entry{}
	}
	return all
}

func save(file *os.File, all map[string]entry) error {
	data, err := json.Marshal(all)
	if err != nil {
		return err
	}
	if _, err = file.WriteAt(data, 0); err != nil {
		return err
	}
	return file.Truncate(int64(len(data)))
}
