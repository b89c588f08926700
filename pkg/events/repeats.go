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
	// maxRepeats is how many different events are counted apart. Their first lines
	// take less than half of what the event file keeps.
	maxRepeats = 256
	// forgetAfter is when an event that was not repeated becomes news again.
	forgetAfter = time.Hour
)

// A Key says what an event is about. Events with the same key are repeats: a runtime
// tries a removal that failed again every few seconds, for days.
type Key struct {
	Command, Network, ContainerID, IfName string
	Check, State, Policy, Message         string
	Cause                                 string // the error or the details; one that differs in its words is no repeat
}

// String returns a short name for the key, as the file of Repeats has it.
func (k Key) String() string {
	h := fnv.New64a()
	for _, part := range []string{k.Command, k.Network, k.ContainerID, k.IfName, k.Check, k.State, k.Policy, k.Message, wordsOf(k.Cause)} {
		_, _ = io.WriteString(h, part)
		_, _ = h.Write([]byte{0})
	}
	return fmt.Sprintf("%016x", h.Sum64())
}

// wordsOf returns the text without what is a number, or has one in it: plugins put
// ports, times and the IDs of requests into their errors, and each attempt would be
// another event.
func wordsOf(text string) string {
	words := strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return strings.ContainsFunc(w, unicode.IsDigit) }), " ")
}

// others is the key of all that is too much to be counted apart.
func (k Key) others() Key { return Key{Check: k.Check, State: k.State, Message: "\x00others"} }

// A Count is how often an event happened, and when. Shared says that it is that of
// all events of a check and state that are not counted apart: there are too many.
type Count struct {
	N           int
	First, Last time.Time
	Shared      bool
}

// due reports whether this repeat is worth a line: the first, the tenth, the
// hundredth and so on.
func (c Count) due() bool {
	n := c.N
	for n >= 10 && n%10 == 0 {
		n /= 10
	}
	return n == 1
}

// Repeats counts the events of a state directory, so that one sandbox that is stuck
// fills neither the event file nor the journal.
type Repeats struct{ Dir string }

// entry is a Count in the file: how often, and the first and last time in seconds.
type entry [3]int64

func (e entry) count() Count {
	return Count{N: int(e[0]), First: time.Unix(e[1], 0), Last: time.Unix(e[2], 0)}
}

// Seen counts an event that happens now and reports whether it is worth a line. An
// event that cannot be counted is.
func (r Repeats) Seen(k Key, now time.Time) (Count, bool) {
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
		maps.DeleteFunc(all, func(_ string, e entry) bool { return old(e, now) })
		if len(all) >= maxRepeats {
			name, shared = k.others().String(), true
		}
	}
	e := all[name]
	if old(e, now) {
		e = entry{0, now.Unix()}
	}
	e[0], e[2] = e[0]+1, now.Unix()
	all[name] = e
	if save(file, all) != nil {
		return uncounted, true
	}
	c := e.count()
	c.Shared = shared
	return c, c.due()
}

// Load returns the counts by the names of their keys; none where they cannot be read.
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

func old(e entry, now time.Time) bool { return now.Sub(time.Unix(e[2], 0)).Abs() > forgetAfter }

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

// lock waits a few milliseconds: whoever has the lock writes some kilobytes.
func lock(file *os.File) bool {
	for try := range 5 {
		time.Sleep(time.Duration(try) * time.Millisecond)
		if unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			return true
		}
	}
	return false
}

// load reads the counts. A file that somebody tore counts nothing: then an event is
// written once more.
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
