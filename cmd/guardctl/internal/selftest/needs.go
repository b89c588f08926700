// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// needed returns what plugins are known to need of the node by default: files and
// directories, which the private node gets as copies in memory.
func needed() map[string][]string {
	return map[string][]string{
		"flannel":     {"/run/flannel/subnet.env"}, // flannel-io/cni-plugin, defaultSubnetFile; flanneld writes it
		"cni-kindnet": {"/var/lib/cni-kindnet"},    // aojea/kindnet, cmd/cni-kindnet: a database of its own, which it opens for writing
	}
}

// needs returns the paths that the plugins of the chain need: those that are known, and
// those that their configuration names.
func (c *Chain) needs() []string {
	if c == nil {
		return nil
	}
	found := map[string]bool{}
	for i, plugin := range c.types() {
		for _, path := range needed()[plugin] {
			found[path] = true
		}
		var conf any
		if json.Unmarshal(c.Plugins[i], &conf) == nil {
			addPaths(found, conf)
		}
	}
	return slices.Sorted(maps.Keys(found))
}

func addPaths(found map[string]bool, value any) {
	switch v := value.(type) {
	case string:
		if filepath.IsAbs(v) && len(v) < unix.PathMax {
			found[filepath.Clean(v)] = true
		}
	case []any:
		for _, e := range v {
			addPaths(found, e)
		}
	case map[string]any:
		for _, e := range v {
			addPaths(found, e)
		}
	}
}

// A held is a file or a directory of the node in memory.
type held struct {
	path  string
	mode  fs.FileMode
	files map[string][]byte // of a directory, by their paths in it; of a file its content by "."
}

// tooMuch bounds what is copied.
const tooMuch = 64 << 20

// copiesOf reads what there is of the paths, before the directories that have them are emptied.
// Files are held where the private node has an empty directory; elsewhere they are there
// to be read. Directories are held where a plugin is known to write to them.
func copiesOf(paths []string) (all []held) {
	for _, path := range paths {
		info, err := os.Stat(path)
		known := slices.ContainsFunc(slices.Collect(maps.Values(needed())), func(p []string) bool { return slices.Contains(p, path) })
		switch {
		case err != nil:
		case info.Mode().IsRegular() && isEmptied(path) && info.Size() < tooMuch:
			if content, err := os.ReadFile(path); err == nil {
				all = append(all, held{path, info.Mode().Perm(), map[string][]byte{".": content}})
			}
		case info.IsDir() && known:
			if files, err := readSteady(path); err == nil {
				all = append(all, held{path, fs.ModeDir | info.Mode().Perm(), files})
			}
		}
	}
	return all
}

func isEmptied(path string) bool {
	return slices.ContainsFunc(emptied(), func(dir string) bool { return inside(path, dir) })
}

func inside(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}

// readSteady reads a directory until two looks agree: a database and its log belong
// together.
func readSteady(dir string) (map[string][]byte, error) {
	before, err := readAll(dir)
	for range 5 {
		if err != nil {
			return nil, err
		}
		var again map[string][]byte
		if again, err = readAll(dir); err == nil && maps.EqualFunc(before, again, slices.Equal) {
			return again, nil
		}
		before = again
	}
	return before, err
}

func readAll(dir string) (map[string][]byte, error) {
	files, size := map[string][]byte{}, int64(0)
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if size += info.Size(); size > tooMuch {
			return fmt.Errorf("copy %s: it is larger than %d MiB", dir, tooMuch>>20)
		}
		content, err := os.ReadFile(path)
		if rel, relErr := filepath.Rel(dir, path); relErr == nil {
			files[rel] = content
		}
		return err
	})
	return files, err
}

// put makes the copy. It returns the directory that was mounted for it, "" for none.
func (h held) put() (mounted string, err error) {
	if !h.mode.IsDir() {
		return "", h.write(filepath.Dir(h.path), filepath.Base(h.path), h.files["."])
	}
	if err := unix.Mount("tmpfs", h.path, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755"); err != nil {
		return "", fmt.Errorf("copy %s: %w", h.path, err)
	}
	for name, content := range h.files {
		err = errors.Join(err, h.write(h.path, name, content))
	}
	return h.path, err
}

func (h held) write(dir, name string, content []byte) error {
	path := filepath.Join(dir, name)
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, content, h.mode.Perm()&0o644|0o600)
	}
	if err != nil {
		return fmt.Errorf("copy %s: %w", path, err)
	}
	return nil
}
