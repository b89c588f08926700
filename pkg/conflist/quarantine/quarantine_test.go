// SPDX-License-Identifier: Apache-2.0

package quarantine_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/lock"
	"github.com/cni-guard/cni-guard/pkg/conflist/quarantine"
)

const doc = `{"name":"b","type":"ptp"}`

// note is what is said in all tests.
func note() quarantine.Note {
	return quarantine.Note{When: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Why: "a trial", UID: 1000}
}

// directory makes a directory with one file.
func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "b.conf"), doc, 0o640)
	return dir
}

func write(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// names returns what is in a directory.
func names(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func wantNames(t *testing.T, dir string, want ...string) {
	t.Helper()
	if got := names(t, dir); !slices.Equal(got, want) {
		t.Errorf("the directory has %q, want %q", got, want)
	}
}

func TestPutAndRestore(t *testing.T) {
	dir := folder(t)
	r, err := quarantine.Put(dir, "b.conf", note())
	if err != nil {
		t.Fatal(err)
	}
	wantNames(t, dir, "b.conf.cni-guard-quarantined", "b.conf.cni-guard-quarantined.record")
	if loaded, err := conflist.Names(dir); err != nil || len(loaded) > 0 {
		t.Errorf("runtimes load %q, %v", loaded, err)
	}
	want := quarantine.Record{
		File: "b.conf", Quarantined: "b.conf.cni-guard-quarantined", When: note().When, Why: "a trial", UID: 1000, Mode: "-rw-r-----",
		SHA256: "bc3742e1d158bb5dc0e1d42ee59e4bd6ae04427c0b6f6ba8cbb8eb0ce50a4b4c",
	}
	r.SHA256, want.SHA256 = sameHash(t, dir, r), ""
	if r != want {
		t.Errorf("got %+v, want %+v", r, want)
	}
	info, err := os.Stat(filepath.Join(dir, "b.conf.cni-guard-quarantined.record"))
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("the record: %v, %v", info.Mode(), err)
	}
	if _, err := quarantine.Put(dir, "b.conf", note()); err != nil {
		t.Errorf("again: %v", err)
	}
	if _, err := quarantine.Restore(dir, "b.conf", false); err != nil {
		t.Fatal(err)
	}
	wantNames(t, dir, "b.conf")
	if got, err := os.ReadFile(filepath.Join(dir, "b.conf")); err != nil || string(got) != doc {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := quarantine.Restore(dir, "b.conf", false); err != nil {
		t.Errorf("again: %v", err)
	}
}

// sameHash wants the record in the directory to have the hash of the record given,
// and takes it out of the comparison.
func sameHash(t *testing.T, dir string, r quarantine.Record) string {
	t.Helper()
	records, err := quarantine.List(dir)
	if err != nil || len(records) != 1 || records[0] != r || len(r.SHA256) != 64 {
		t.Errorf("listed %+v, %v, want %+v", records, err, r)
	}
	return ""
}

// The same name again: it appeared once more, and is quarantined once more.
func TestTwice(t *testing.T) {
	dir := folder(t)
	for range 3 {
		if _, err := quarantine.Put(dir, "b.conf", note()); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "b.conf"), doc, 0o600)
	}
	_, err := quarantine.Restore(dir, "b.conf", false)
	if err == nil || !strings.Contains(err.Error(), "there are 3 files of that name in quarantine: name one of b.conf.cni-guard-quarantined, b.conf.cni-guard-quarantined-2, b.conf.cni-guard-quarantined-3") {
		t.Errorf("got %v", err)
	}
	_, err = quarantine.Restore(dir, "b.conf.cni-guard-quarantined-2", false)
	if err == nil || !strings.Contains(err.Error(), "b.conf exists again, and is not overwritten") {
		t.Errorf("got %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "b.conf")); err != nil {
		t.Fatal(err)
	}
	if _, err := quarantine.Restore(dir, "b.conf.cni-guard-quarantined-2", false); err != nil {
		t.Error(err)
	}
	if records, err := quarantine.List(dir); err != nil || len(records) != 2 {
		t.Errorf("listed %+v, %v", records, err)
	}
}

// What has changed in quarantine, or of which nothing is known, comes back by
// force only.
func TestChanged(t *testing.T) {
	const away = "b.conf.cni-guard-quarantined"
	for name, c := range map[string]struct {
		change func(t *testing.T, path string)
		want   string
	}{
		"content":   {func(t *testing.T, path string) { write(t, path, "{}", 0o640) }, "was changed in quarantine (its SHA-256 was "},
		"mode":      {func(t *testing.T, path string) { write(t, path, doc, 0o600) }, "its mode was -rw-r----- and is -rw-------"},
		"no record": {func(t *testing.T, path string) { remove(t, path+".record") }, "it has no record"},
		"damaged":   {func(t *testing.T, path string) { write(t, path+".record", `{"fi`, 0o600) }, "its record is damaged"},
		"another's": {func(t *testing.T, path string) {
			write(t, path+".record", `{"file":"../../etc/passwd","quarantined":"b.conf.cni-guard-quarantined"}`, 0o600)
		}, "its record is damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t)
			if _, err := quarantine.Put(dir, "b.conf", note()); err != nil {
				t.Fatal(err)
			}
			c.change(t, filepath.Join(dir, away))
			before := names(t, dir)
			if _, err := quarantine.Restore(dir, "b.conf", false); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "--force") {
				t.Errorf("got %v", err)
			}
			wantNames(t, dir, before...)
			if _, err := quarantine.Restore(dir, "b.conf", true); err != nil {
				t.Error(err)
			}
			wantNames(t, dir, "b.conf")
		})
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// A link is quarantined itself, whatever it leads to, and so is a pipe, on which a
// runtime would hang.
func TestOtherFiles(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink("/nowhere", filepath.Join(dir, "l.conflist")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "p.conf"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, link := range map[string]string{"l.conflist": "/nowhere", "p.conf": ""} {
		if r, err := quarantine.Put(dir, name, note()); err != nil || r.Link != link || r.SHA256 != "" {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		if _, err := quarantine.Restore(dir, name, false); err != nil {
			t.Error(err)
		}
	}
	wantNames(t, dir, "l.conflist", "p.conf")
}

// An interrupted run leaves a record, or half of one, without its file.
func TestAfterInterruption(t *testing.T) {
	dir := folder(t)
	write(t, filepath.Join(dir, "b.conf.cni-guard-quarantined.record"), `{"fi`, 0o600)
	write(t, filepath.Join(dir, "b.conf.cni-guard-quarantined.record.new"), strings.Repeat("x", 4096), 0o600)
	if records, err := quarantine.List(dir); err != nil || len(records) > 0 {
		t.Errorf("listed %+v, %v", records, err)
	}
	if _, err := quarantine.Put(dir, "b.conf", note()); err != nil {
		t.Fatal(err)
	}
	wantNames(t, dir, "b.conf.cni-guard-quarantined", "b.conf.cni-guard-quarantined.record")
	content, err := os.ReadFile(filepath.Join(dir, "b.conf.cni-guard-quarantined.record"))
	if err != nil || !json.Valid(content) {
		t.Errorf("the record: %q, %v", content, err)
	}
	// The same while restoring: the file is back, the record is left.
	if err := os.Rename(filepath.Join(dir, "b.conf.cni-guard-quarantined"), filepath.Join(dir, "b.conf")); err != nil {
		t.Fatal(err)
	}
	if _, err := quarantine.Restore(dir, "b.conf", false); err != nil {
		t.Error(err)
	}
	wantNames(t, dir, "b.conf")
}

// refused wants both ways to be refused with the words, and nothing to change.
func refused(t *testing.T, dir string, words ...string) {
	t.Helper()
	before := names(t, dir)
	_, putErr := quarantine.Put(dir, "b.conf", note())
	_, restoreErr := quarantine.Restore(dir, "c.conf", true)
	for _, err := range []error{putErr, restoreErr} {
		for _, w := range words {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("got %v, want %q", err, w)
			}
		}
	}
	wantNames(t, dir, before...)
}

// both makes a directory with a file to quarantined and one to bring back.
func both(t *testing.T) string {
	t.Helper()
	dir := folder(t)
	write(t, filepath.Join(dir, "c.conf.cni-guard-quarantined"), doc, 0o600)
	return dir
}

func TestFolderIsALink(t *testing.T) {
	real := both(t)
	link := filepath.Join(t.TempDir(), "net.d")
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	refused(t, link, link+" is a link", "--conf-dir "+real)
	refused(t, link+"/", link+" is a link")
}

func TestFolderIsHeld(t *testing.T) {
	checktest.PrivateNode(t)
	dir := both(t)
	release, err := lock.ConfDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	refused(t, dir, "lock "+dir+": another guardctl is changing it")
}

func TestReadOnly(t *testing.T) {
	checktest.PrivateNode(t)
	dir := both(t)
	run(t, "mount", "--bind", dir, dir)
	run(t, "mount", "-o", "remount,ro,bind", dir)
	refused(t, dir, "read-only file system", "the file system of "+dir+" is mounted read-only: remount it")
	run(t, "umount", dir)
}

func TestFileIsAMount(t *testing.T) {
	checktest.PrivateNode(t)
	dir := both(t)
	for _, name := range []string{"b.conf", "c.conf.cni-guard-quarantined"} {
		run(t, "mount", "--bind", filepath.Join(dir, name), filepath.Join(dir, name))
	}
	refused(t, dir, "is a mount point: unmount it")
	run(t, "umount", filepath.Join(dir, "b.conf"), filepath.Join(dir, "c.conf.cni-guard-quarantined"))
}

func TestImmutable(t *testing.T) {
	checktest.PrivateNode(t)
	dir := both(t)
	for _, target := range []string{dir, filepath.Join(dir, "b.conf")} {
		if out, err := exec.Command("chattr", "+i", target).CombinedOutput(); err != nil {
			checktest.Lacking(t, "no file can be made immutable here: "+string(out))
		}
		t.Cleanup(func() { run(t, "chattr", "-i", target) })
		before := names(t, dir)
		_, err := quarantine.Put(dir, "b.conf", note())
		if err == nil || !strings.Contains(err.Error(), target+" is immutable: run chattr -i "+target) {
			t.Errorf("got %v", err)
		}
		wantNames(t, dir, before...)
		run(t, "chattr", "-i", target)
	}
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %q: %v: %s", name, args, err, out)
	}
}

func TestUnsuitable(t *testing.T) {
	dir := folder(t)
	if err := os.Mkdir(filepath.Join(dir, "d.conf"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"../b.conf":       "it is not the name of a file in the directory",
		"kubeconfig":      "no runtime loads a file of that name",
		"d.conf":          "it is a directory, and runtimes load files only",
		"none.conf":       "neither in the directory nor in quarantine",
		"b.conf.bak":      "it can stay",
		".":               "no runtime loads",
		"x/../b.conf":     "it is not the name",
		"B.CONF":          "no runtime loads",
		"/etc/cni/b.conf": "it is not the name",
	} {
		if _, err := quarantine.Put(dir, name, note()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	if _, err := quarantine.Put(filepath.Join(dir, "none"), "b.conf", note()); err == nil {
		t.Error("a directory that is not there")
	}
	if _, err := quarantine.Restore(dir, "none.conf", false); err == nil || !strings.Contains(err.Error(), "guardctl conf list shows the files there") {
		t.Errorf("got %v", err)
	}
}
