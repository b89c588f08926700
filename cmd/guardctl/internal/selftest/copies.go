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

// knownNeeds returns the files and directories of the node that plugins are known to
// need, by plugin type. The private node has copies of them in memory.
func knownNeeds() map[string][]string {
	return map[string][]string{
		"flannel":     {"/run/flannel/subnet.env"}, // flannel-io/cni-plugin, defaultSubnetFile; flanneld writes it
		"cni-kindnet": {"/var/lib/cni-kindnet"},    // aojea/kindnet, cmd/cni-kindnet: a database of its own, which it opens for writing
	}
}

// needs returns the paths that the plugins of the chain need: the known ones and those
// in their configuration.
func (c *Chain) needs() []string {
	if c == nil {
		return nil
	}
	found := map[string]bool{}
	for i, plugin := range c.types() {
		for _, path := range knownNeeds()[plugin] {
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

// A copied is a file or a directory of the node in memory.
type copied struct {
	path  string
	mode  fs.FileMode
	files map[string][]byte // by the path below the directory; "." for a file
}

// maxCopy is the number of bytes that is copied at most.
const maxCopy = 64 << 20

// copiesOf reads those of the paths that exist, before the directories above them are
// replaced by empty ones. It copies files only below an empty directory, as others stay
// readable, and directories only if a plugin is known to write to them.
func copiesOf(paths []string) (all []copied) {
	for _, path := range paths {
		info, err := os.Stat(path)
		known := slices.ContainsFunc(slices.Collect(maps.Values(knownNeeds())), func(p []string) bool { return slices.Contains(p, path) })
		switch {
		case err != nil:
		case info.Mode().IsRegular() && isBelowEmptyDir(path) && info.Size() < maxCopy:
			if content, err := os.ReadFile(path); err == nil {
				all = append(all, copied{path, info.Mode().Perm(), map[string][]byte{".": content}})
			}
		case info.IsDir() && known:
			if files, err := readUntilStable(path); err == nil {
				all = append(all, copied{path, fs.ModeDir | info.Mode().Perm(), files})
			}
		}
	}
	return all
}

func isBelowEmptyDir(path string) bool {
	return slices.ContainsFunc(emptyDirs(), func(dir string) bool { return inside(path, dir) })
}

func inside(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}

// readUntilStable reads a directory until two reads agree: a database and its log belong
// together.
func readUntilStable(dir string) (map[string][]byte, error) {
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
		if size += info.Size(); size > maxCopy {
			return fmt.Errorf("copy %s: it is larger than %d MiB", dir, maxCopy>>20)
		}
		content, err := os.ReadFile(path)
		if rel, relErr := filepath.Rel(dir, path); relErr == nil {
			files[rel] = content
		}
		return err
	})
	return files, err
}

// put writes the copy. It returns the directory that it mounted, or "".
func (c copied) put() (mounted string, err error) {
	if !c.mode.IsDir() {
		return "", c.write(filepath.Dir(c.path), filepath.Base(c.path), c.files["."])
	}
	if err := unix.Mount("tmpfs", c.path, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755"); err != nil {
		return "", fmt.Errorf("copy %s: %w", c.path, err)
	}
	for name, content := range c.files {
		err = errors.Join(err, c.write(c.path, name, content))
	}
	return c.path, err
}

func (c copied) write(dir, name string, content []byte) error {
	path := filepath.Join(dir, name)
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, content, c.mode.Perm()&0o644|0o600)
	}
	if err != nil {
		return fmt.Errorf("copy %s: %w", path, err)
	}
	return nil
}
