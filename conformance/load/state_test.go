// SPDX-License-Identifier: Apache-2.0

package load

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// configure sets a key of the guard's configuration.
func (l *ledger) configure(key string, value any) {
	l.t.Helper()
	conf := map[string]any{}
	err := json.Unmarshal(l.conf, &conf)
	if err == nil {
		conf[key] = value
		l.conf, err = json.Marshal(conf)
	}
	if err != nil {
		l.t.Fatal(err)
	}
}

func (l *ledger) eventFile() string { return filepath.Join(l.state, "events.jsonl") }

// fillEvents replaces all events.
func (l *ledger) fillEvents(events []byte) {
	l.t.Helper()
	err := os.MkdirAll(l.state, 0o700)
	if err == nil {
		err = os.WriteFile(l.eventFile(), events, 0o600)
	}
	if err == nil {
		err = os.Remove(l.eventFile() + ".1")
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.t.Fatal(err)
	}
}

// events counts the events in both files, and fails the test for one that is
// not whole. Only the last line of a file may be torn: the kernel gives up the
// write of a process that is killed between two pages (generic_perform_write in
// mm/filemap.c). The next event then begins on a line of its own.
func (l *ledger) events() (lines int, aside bool) {
	l.t.Helper()
	for _, file := range []string{l.eventFile(), l.eventFile() + ".1"} {
		data, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			l.t.Fatal(err)
		}
		aside = aside || file != l.eventFile()
		for line := range bytes.Lines(data) {
			if !bytes.HasSuffix(line, []byte("\n")) {
				l.t.Logf("the last event of %s is torn: %q", file, line)
				continue
			}
			lines++
			if !json.Valid(line) {
				l.t.Errorf("an event of %s is not whole: %q", file, line)
			}
		}
	}
	return lines, aside
}

// finding is what STATUS remembers a finding of host-loopback by.
func (l *ledger) finding() string { return filepath.Join(l.state, "status", "host-loopback") }

func (l *ledger) remembers() bool {
	_, err := os.Stat(l.finding())
	return err == nil
}

func (l *ledger) remember() {
	l.t.Helper()
	err := os.MkdirAll(filepath.Dir(l.finding()), 0o700)
	if err == nil {
		err = os.WriteFile(l.finding(), nil, 0o600)
	}
	if err != nil {
		l.t.Fatal(err)
	}
}

func (l *ledger) forget() {
	l.t.Helper()
	if err := os.RemoveAll(filepath.Dir(l.finding())); err != nil {
		l.t.Fatal(err)
	}
}

// lo does something to the node's lo.
func (l *ledger) lo(do func(path string) error) {
	l.t.Helper()
	if err := do(l.node); err != nil {
		l.t.Fatal(err)
	}
}

// wantStatus runs STATUS to its end.
func (l *ledger) wantStatus(holdDown string, success bool) {
	l.t.Helper()
	l.configure("statusHoldDown", holdDown)
	if err := l.command("STATUS", "", "").Run(); (err == nil) != success {
		l.t.Errorf("STATUS with a hold-down of %s: %v; want success %t", holdDown, err, success)
	}
}

// wantSpread fails where the instants at which calls were killed lie all before
// what they were to do, or all behind it.
func (l *ledger) wantSpread(done string, some, all int) {
	l.t.Helper()
	l.t.Logf("of %d killed, %d had %s", all, some, done)
	if some == 0 || some == all {
		l.t.Errorf("the instants are not spread around that")
	}
}
