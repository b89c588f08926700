// SPDX-License-Identifier: Apache-2.0

package conflist_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// A folder is what a test puts into a folder of configurations: the content of
// each file by its name. Where a content begins with "->" it is a link, "|" makes
// a pipe and "/" a folder.
type folder map[string]string

func (f folder) make(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "net.d")
	f.makeIn(t, dir)
	return dir
}

func (f folder) makeIn(t testing.TB, dir string) {
	t.Helper()
	for name, content := range f {
		path := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if err == nil {
			err = create(path, content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func create(path, content string) error {
	switch {
	case strings.HasPrefix(content, "->"):
		return os.Symlink(content[2:], path)
	case content == "|":
		return syscall.Mkfifo(path, 0o600)
	case content == "/":
		return os.MkdirAll(path, 0o755)
	}
	return os.WriteFile(path, []byte(content), 0o600)
}

// of is a list of a network with plugins.
func of(network string, plugins ...string) string {
	for i, p := range plugins {
		plugins[i] = fmt.Sprintf(`{"type":%q}`, p)
	}
	return fmt.Sprintf(`{"name":%q,"cniVersion":"1.0.0","plugins":[%s]}`, network, strings.Join(plugins, ","))
}

// single is a file that is no list.
func single(network, plugin string) string {
	return fmt.Sprintf(`{"name":%q,"type":%q}`, network, plugin)
}

// A selecting is a folder, and what a runtime is to make of it.
type selecting struct {
	name    string
	folder  folder
	runtime conflist.Runtime
	want    string // a line "NAME: VERDICT: REASON" for each file, and last one that begins with "error: "
}

// check compares, and wants Effective to say the same as Select.
func (s selecting) check(t *testing.T) {
	dir := s.folder.make(t)
	got, err := conflist.Select(dir, s.runtime)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.TrimSpace(s.want)
	if told := strings.TrimSpace(tell(got, dir)); told != want {
		t.Errorf("got\n%s\nwant\n%s", told, want)
	}
	f, err := conflist.Effective(dir, s.runtime)
	if e := got.Effective(); e == nil && (err == nil || err.Error() != got.Err.Error()) || e != nil && (err != nil || fmt.Sprint(f) != fmt.Sprint(*e)) {
		t.Errorf("Effective says %+v, %v; Select %+v, %v", f, err, e, got.Err)
	}
}

func tell(s conflist.Selection, dir string) string {
	var b strings.Builder
	for _, f := range s.Files {
		fmt.Fprintf(&b, "%s: %s: %s\n", f.Name, f.Verdict, f.Reason)
	}
	if s.Err != nil {
		fmt.Fprintf(&b, "error: %v\n", s.Err)
	}
	return strings.ReplaceAll(b.String(), dir, "DIR")
}

func run(t *testing.T, cases []selecting) {
	for _, c := range cases {
		t.Run(c.name, c.check)
	}
}

// A folder that is named like a configuration is called one where nothing else is
// there.
func TestFolderNamedLikeAFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "10-a.conflist"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []conflist.Kind{conflist.Containerd, conflist.CRIO} {
		if _, err := conflist.Effective(dir, conflist.NewRuntime(kind)); err == nil || !strings.Contains(err.Error(), "10-a.conflist is a folder, and must be a file") {
			t.Errorf("%s: %v", kind, err)
		}
	}
}
