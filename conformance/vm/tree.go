// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// A tree is the guest's files, by absolute path without the leading slash.
type tree map[string]node

// A node is a directory, a link, a text or a file of the machine.
type node struct {
	mode fs.FileMode
	link string // of a link: where it points
	text []byte // where from is ""
	from string
}

// newTree has the directories of a bare system, laid out as Debian does: /bin and
// its like lead into /usr.
func newTree() tree {
	t := tree{}
	for _, dir := range []string{"proc", "sys", "dev", "run/lock", "run/netns", "root", "etc", "var/lib", "usr/bin", "usr/sbin", "usr/lib", "usr/lib64"} {
		t.folder(dir, 0o755)
	}
	t.folder("tmp", 0o777|fs.ModeSticky)
	t.folder("var/tmp", 0o777|fs.ModeSticky)
	for _, dir := range []string{"bin", "sbin", "lib", "lib64"} {
		t[dir] = node{mode: fs.ModeSymlink | 0o777, link: "usr/" + dir}
	}
	t.text("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n")
	t.text("etc/group", "root:x:0:\nnogroup:x:65534:\n")
	t.text("etc/hosts", "127.0.0.1 localhost\n::1 localhost\n")
	return t
}

// put adds a node where the guest finds it under the path, and its directories.
func (t tree) put(name string, n node) {
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	if top, _, ok := strings.Cut(name, "/"); ok && t[top].mode&fs.ModeSymlink != 0 {
		name = "usr/" + name
	}
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if _, ok := t[dir]; !ok {
			t[dir] = node{mode: fs.ModeDir | 0o755}
		}
	}
	t[name] = n
}

func (t tree) folder(name string, perm fs.FileMode) { t.put(name, node{mode: fs.ModeDir | perm}) }

func (t tree) text(name, text string) { t.put(name, node{mode: 0o644, text: []byte(text)}) }

// builds is the folder of a checkout with kernels and programs that were built. Below a
// directory that the guest gets it is left out, as the guest has its files in memory.
const builds = "/conformance/bin"

// add puts a file into the tree, or a directory with all that it holds.
func (t tree) add(f File) error {
	if !path.IsAbs(f.Path) {
		return fmt.Errorf("add %q: the path in the guest must be absolute", f.Path)
	}
	if f.From == "" {
		t.text(f.Path, f.Text)
		return nil
	}
	root, err := filepath.EvalSymlinks(f.From)
	if err != nil {
		return fmt.Errorf("add %s: %w", f.Path, err)
	}
	return filepath.WalkDir(root, func(from string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && from != root {
			return nil // gone since its directory was listed
		}
		if err != nil {
			return fmt.Errorf("add %s: %w", f.Path, err)
		}
		if entry.IsDir() && from != root && strings.HasSuffix(filepath.ToSlash(from), builds) {
			return filepath.SkipDir
		}
		rel, err := filepath.Rel(root, from)
		if err != nil {
			return err
		}
		return t.copy(path.Join(f.Path, filepath.ToSlash(rel)), from, entry)
	})
}

func (t tree) copy(name, from string, entry fs.DirEntry) error {
	info, err := entry.Info()
	if err != nil {
		return fmt.Errorf("add %s: %w", name, err)
	}
	n := node{mode: info.Mode(), from: from}
	switch {
	case n.mode&fs.ModeSymlink != 0:
		if n.link, err = os.Readlink(from); err != nil {
			return fmt.Errorf("add %s: %w", name, err)
		}
	case !n.mode.IsDir() && !n.mode.IsRegular():
		return nil // sockets and the like mean nothing elsewhere
	}
	t.put(name, n)
	return nil
}
