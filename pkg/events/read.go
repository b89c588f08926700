// SPDX-License-Identifier: Apache-2.0

package events

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"time"
)

// An Event is one line of the file. Raw is the line as written, including fields that
// later versions of cni-guard add.
type Event struct {
	Time        time.Time       `json:"time"`
	Level       string          `json:"level"`
	Message     string          `json:"msg"`
	Command     string          `json:"command"`
	Check       string          `json:"check"`
	State       string          `json:"state"`
	Policy      string          `json:"policy"`
	Pod         string          `json:"pod"`
	Network     string          `json:"network"`
	ContainerID string          `json:"containerID"`
	IfName      string          `json:"ifName"`
	Error       string          `json:"error"`
	Details     string          `json:"details"`
	Count       int             `json:"count"` // how often it had happened by then; 0 means once
	Since       time.Time       `json:"since"` // when it happened first, if Count is set
	Raw         json.RawMessage `json:"-"`
	Last        time.Time       `json:"-"` // when it happened last; set by Latest
}

// Key returns the key by which Repeats counts the event.
func (e Event) Key() Key {
	return Key{
		Command: e.Command, Network: e.Network, ContainerID: e.ContainerID, IfName: e.IfName,
		Check: e.Check, State: e.State, Policy: e.Policy, Message: e.Message, Cause: e.Error + e.Details,
	}
}

// Latest sets the counts of events, which are in the order of Read, to the present counts
// of the state directory's Repeats: most repeats are counted but not written. Of several
// events with the same key, the last one gets the count.
func Latest(dir string, all []Event) {
	counts := Repeats{dir}.Load()
	for i := len(all) - 1; i >= 0; i-- {
		e := &all[i]
		e.Last = e.Time
		name := e.Key().String()
		if c, ok := counts[name]; ok && c.N > max(e.Count, 1) && !c.Last.Before(e.Time.Truncate(time.Second)) {
			e.Count, e.Since, e.Last = c.N, c.First, c.Last
		}
		delete(counts, name)
	}
}

// Read returns the events of a state directory, oldest first. A directory or file that
// does not exist has no events. Read yields an error for a line that does not parse, and
// continues.
func Read(dir string) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for _, name := range []string{oldName, fileName} {
			if !readFile(filepath.Join(dir, name), yield) {
				return
			}
		}
	}
}

func readFile(path string, yield func(Event, error) bool) bool {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return true
	}
	if err != nil {
		return yield(Event{}, fmt.Errorf("read events: %w", err))
	}
	defer file.Close()
	lines := bufio.NewReader(file)
	for number := 1; ; number++ {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return true
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return yield(Event{}, fmt.Errorf("read events: %w", err))
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue // two processes completed the same torn line
		}
		e, err := parse(line)
		if err != nil {
			err = fmt.Errorf("read events: %s, line %d: %w", path, number, err)
		}
		if !yield(e, err) {
			return false
		}
	}
}

func parse(line []byte) (Event, error) {
	e := Event{Raw: bytes.TrimSuffix(line, []byte("\n"))}
	if err := json.Unmarshal(e.Raw, &e); err != nil {
		return Event{}, err
	}
	return e, nil
}
