// SPDX-License-Identifier: Apache-2.0

package events_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/events"
)

const (
	young = "events.jsonl"
	old   = "events.jsonl.1"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// line returns an event as slog writes it, padded to the given length.
func line(message string, length int) []byte {
	text := fmt.Sprintf(`{"time":"2024-05-06T07:08:09.5Z","level":"WARN","msg":%q,"command":"ADD","check":"host-loopback","state":"repaired","pod":"default/web","pad":"`, message)
	if pad := length - len(text) - len("\"}\n"); pad > 0 {
		text += strings.Repeat("x", pad)
	}
	return []byte(text + "\"}\n")
}

// read returns the messages of all events, and the errors.
func read(t *testing.T, dir string) (messages []string, errs []error) {
	t.Helper()
	for e, err := range events.Read(dir) {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		messages = append(messages, e.Message)
	}
	return messages, errs
}

func size(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	must(t, err)
	return info.Size()
}

func TestWriteAndRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "yet", "there")
	f := events.File{Dir: dir}
	for _, message := range []string{"first", "second"} {
		text := line(message, 0)
		if n, err := f.Write(text); err != nil || n != len(text) {
			t.Errorf("Write = %d, %v, want %d", n, err, len(text))
		}
	}
	var got []events.Event
	for e, err := range events.Read(dir) {
		must(t, err)
		got = append(got, e)
	}
	if len(got) != 2 || got[0].Message != "first" || got[1].Message != "second" {
		t.Fatalf("events are %+v", got)
	}
	e := got[0]
	if e.Time.Year() != 2024 || e.Level != "WARN" || e.Command != "ADD" || e.Check != "host-loopback" || e.State != "repaired" || e.Pod != "default/web" {
		t.Errorf("the event is %+v", e)
	}
	if !bytes.Equal(e.Raw, bytes.TrimSpace(line("first", 0))) {
		t.Errorf("the line is %s", e.Raw)
	}
	info, err := os.Stat(filepath.Join(dir, young))
	must(t, err)
	folder, err := os.Stat(dir)
	must(t, err)
	if info.Mode().Perm() != 0o600 || folder.Mode().Perm() != 0o700 {
		t.Errorf("modes are %v and %v, want 0600 and 0700", info.Mode().Perm(), folder.Mode().Perm())
	}
}

func TestRotation(t *testing.T) {
	dir := t.TempDir()
	f := events.File{Dir: dir}
	const length = 64 << 10
	perFile := events.Limit / length
	for i := range 3 * perFile {
		_, err := f.Write(line(fmt.Sprint(i), length))
		must(t, err)
	}
	// Three files' worth was written: the oldest third is gone, and the young
	// file was put aside when it was full, so that there is none now.
	messages, errs := read(t, dir)
	if len(errs) > 0 || len(messages) != perFile || messages[0] != fmt.Sprint(2*perFile) {
		t.Errorf("%d events from %q on, errors %v", len(messages), messages[0], errs)
	}
	_, err := f.Write(line("next", 0))
	must(t, err)
	messages, _ = read(t, dir)
	if len(messages) != perFile+1 || messages[perFile] != "next" {
		t.Errorf("then %d events that end in %q", len(messages), messages[len(messages)-1])
	}
}

// Lines of many writers do not mix, no line since the last rotation is missing, and the
// size of the two files is bounded.
func TestConcurrentWrites(t *testing.T) {
	dir := t.TempDir()
	const writers, each, length = 16, 100, 4 << 10 // ten rotations
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range each {
				if _, err := (events.File{Dir: dir}).Write(line(fmt.Sprintf("%d/%d", w, i), length)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	messages, errs := read(t, dir)
	if len(errs) > 0 {
		t.Errorf("%d lines are torn, such as %v", len(errs), errs[0])
	}
	seen := map[string]bool{}
	for _, m := range messages {
		if seen[m] {
			t.Errorf("%s is there twice", m)
		}
		seen[m] = true
	}
	// A writer may still append to a file that was just put aside.
	const bound = events.Limit + writers*length
	for _, name := range []string{young, old} {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.Size() > bound {
			t.Errorf("%s has %d bytes, want at most %d", name, info.Size(), bound)
		}
	}
	// The older file was full when it was put aside: a young file that had been
	// renamed over it before it was full would have been lost.
	if got := size(t, filepath.Join(dir, old)); got < events.Limit {
		t.Errorf("the file that was put aside has %d bytes, fewer than %d", got, events.Limit)
	}
}

// A process that still has the full file open must not rotate the new one.
func TestLateRotationSparesNewFile(t *testing.T) {
	for range 20 {
		dir := t.TempDir()
		must(t, os.WriteFile(filepath.Join(dir, young), line("full", events.Limit), 0o600))
		var all sync.WaitGroup
		for w := range 16 {
			all.Go(func() {
				if _, err := (events.File{Dir: dir}).Write(line(fmt.Sprint(w), 0)); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		messages, errs := read(t, dir)
		if len(messages) != 17 || messages[0] != "full" || len(errs) > 0 {
			t.Fatalf("events are %q, errors %v, want all 17", messages, errs)
		}
	}
}

// Between the check of the path and the rename another process may do the same, so only
// the holder of the full file's lock may rotate it.
func TestRotationNeedsLock(t *testing.T) {
	dir := t.TempDir()
	f := events.File{Dir: dir}
	must(t, os.WriteFile(filepath.Join(dir, young), line("full", events.Limit), 0o600))
	other, err := os.Open(filepath.Join(dir, young))
	must(t, err)
	defer other.Close()
	must(t, syscall.Flock(int(other.Fd()), syscall.LOCK_EX))
	_, err = f.Write(line("while locked", 0))
	must(t, err)
	if _, err := os.Stat(filepath.Join(dir, old)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file was put aside under the lock of another: %v", err)
	}
	must(t, syscall.Flock(int(other.Fd()), syscall.LOCK_UN))
	_, err = f.Write(line("afterwards", 0))
	must(t, err)
	if messages, errs := read(t, dir); strings.Join(messages, " ") != "full while locked afterwards" || len(errs) > 0 {
		t.Errorf("events are %q, errors %v", messages, errs)
	}
	if size(t, filepath.Join(dir, old)) < events.Limit {
		t.Error("the file was not put aside once the lock was free")
	}
}

func TestReadDamaged(t *testing.T) {
	dir := t.TempDir()
	text := "\n" + // nothing, which is left out
		"\x00\xff\n" + // garbage
		`{"msg":"torn","time"` + string(line("appended", 0)) +
		`{"msg":7}` + "\n" + // another type
		string(line("whole", 0)) +
		`{"msg":"the end is miss`
	must(t, os.WriteFile(filepath.Join(dir, old), []byte(text), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, young), line("young", 0), 0o600))
	messages, errs := read(t, dir)
	if got := strings.Join(messages, " "); got != "whole young" {
		t.Errorf("events are %q", got)
	}
	if len(errs) != 4 || !strings.Contains(errs[0].Error(), old+", line 2: ") {
		t.Errorf("errors are %v, want one for each of four lines, by its number", errs)
	}
}

// A line that is longer than the limit of the file does not hide the others.
func TestReadLongLine(t *testing.T) {
	dir := t.TempDir()
	text := append(line("before", 0), line("long", 3*events.Limit)...)
	text = append(text, line("after", 0)...)
	must(t, os.WriteFile(filepath.Join(dir, young), text, 0o600))
	messages, errs := read(t, dir)
	if got := strings.Join(messages, " "); got != "before long after" || len(errs) > 0 {
		t.Errorf("events are %.60q, errors %v", got, errs)
	}
}

func TestReadNothing(t *testing.T) {
	dir := t.TempDir()
	for _, dir := range []string{dir, filepath.Join(dir, "missing")} {
		if messages, errs := read(t, dir); len(messages)+len(errs) > 0 {
			t.Errorf("%s holds %q, errors %v", dir, messages, errs)
		}
	}
	file := filepath.Join(dir, "file")
	must(t, os.WriteFile(file, nil, 0o600))
	if _, errs := read(t, file); len(errs) == 0 {
		t.Error("a state path that is a file holds no events, and that is no error")
	}
}

func TestReadStops(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, old), append([]byte("garbage\n"), line("a", 0)...), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, young), line("b", 0), 0o600))
	for stop := 1; stop <= 3; stop++ { // a panic of the range loop is the failure
		n := 0
		for range events.Read(dir) {
			if n++; n == stop {
				break
			}
		}
	}
}

func TestWriteRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, []byte("precious"), 0o600))
	if _, err := (events.File{Dir: file}).Write(line("x", 0)); err == nil {
		t.Error("Write into a state path that is a file returns no error")
	}
	if data, err := os.ReadFile(file); err != nil || string(data) != "precious" {
		t.Errorf("the file has %q, error %v", data, err)
	}
}

// mount mounts a tmpfs over a new directory.
func mount(t *testing.T, options string) string {
	t.Helper()
	checktest.PrivateNode(t)
	dir := t.TempDir()
	must(t, syscall.Mount("tmpfs", dir, "tmpfs", 0, options))
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

func TestWriteReadOnly(t *testing.T) {
	dir := mount(t, "")
	_, err := events.File{Dir: dir}.Write(line("before", 0))
	must(t, err)
	must(t, syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	for _, dir := range []string{dir, filepath.Join(dir, "below")} {
		if _, err := (events.File{Dir: dir}).Write(line("x", 0)); err == nil {
			t.Errorf("Write to %s, which is read-only, returns no error", dir)
		}
	}
	if messages, _ := read(t, dir); len(messages) != 1 {
		t.Errorf("events are %q", messages)
	}
}

func TestWriteFull(t *testing.T) {
	dir := mount(t, "size=16k")
	var err error
	for i := 0; err == nil && i < 100; i++ {
		_, err = events.File{Dir: dir}.Write(line(fmt.Sprint(i), 1000))
	}
	if err == nil {
		t.Error("Write to a full file system returns no error")
	}
	messages, _ := read(t, dir) // the last line may be torn
	if len(messages) < 15 {
		t.Errorf("only %d events are left", len(messages))
	}
}

// A line cut off by a full disk is lost; the next one is not.
func TestWriteAfterTornLine(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, young), []byte(`{"msg":"torn`), 0o600))
	for _, text := range []string{"first", "second"} {
		n, err := events.File{Dir: dir}.Write(line(text, 0))
		must(t, err)
		if want := len(line(text, 0)); n != want {
			t.Errorf("Write = %d, want the %d bytes that it was given", n, want)
		}
	}
	if messages, _ := read(t, dir); !slices.Equal(messages, []string{"first", "second"}) {
		t.Errorf("events after a torn line: %q", messages)
	}
}

// Whatever the file holds, reading it ends, and every event it yields is one.
func FuzzRead(f *testing.F) {
	f.Add(line("a", 0))
	f.Add([]byte("\n\n{}\nnull\n[]\n{"))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		must(t, os.WriteFile(filepath.Join(dir, young), data, 0o600))
		for e, err := range events.Read(dir) {
			if err == nil && !json.Valid(e.Raw) {
				t.Errorf("%q is given as an event", e.Raw)
			}
		}
	})
}
