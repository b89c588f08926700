// SPDX-License-Identifier: Apache-2.0

package site

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/cni-guard/cni-guard/pkg/runtimeconf"
)

// section names the table of containerd's CRI plugin in a version of the
// configuration: docs/PLUGINS.md of containerd; 1 is what no version means.
func section(version int64) string {
	switch version {
	case 0, 1:
		return "cri"
	case 2:
		return "io.containerd.grpc.v1.cri"
	}
	return "io.containerd.cri.v1.runtime" // 3, containerd 2
}

// readContainerd reads what a config.toml, and what it imports, say of CNI. What is
// said later counts. The file is that of the command line, if that names one.
func (s *Site) readContainerd(root string, p product, process runtimeconf.Process) error {
	path := p.config
	if files := process.Flag("config", "c"); len(files) > 0 {
		named, err := process.Path(files[len(files)-1])
		if err != nil {
			return err
		}
		if named != path {
			s.How = append(s.How, fmt.Sprintf("its configuration is %s: the command line of %s", named, p.name))
		}
		path = named
	}
	docs, err := readImports(root, path, nil)
	if err != nil {
		return err
	}
	for _, d := range docs {
		version, _ := d.tree["version"].(int64)
		cri := table(d.tree, "plugins", section(version))
		if err := s.readCNI(d.path, table(cri, "cni")); err != nil {
			return fmt.Errorf("%s: %w", d.path, err)
		}
		s.noteClasses(d.path, table(cri, "containerd", "runtimes"))
	}
	return nil
}

// readCNI reads the table cni. bin_dirs is of containerd 2.1; the older bin_dir is
// put in front of it there.
func (s *Site) readCNI(path string, cni map[string]any) error {
	take := func(key string, to func(any) bool) error {
		value, ok := cni[key]
		if ok && !to(value) {
			return fmt.Errorf("cni.%s is %v, which is not of its type", key, value)
		}
		if text, isText := value.(string); ok && (!isText || usable(text)) {
			s.How = append(s.How, fmt.Sprintf("%s is %v: %s", key, value, path))
		}
		return nil
	}
	dir := func(to *string) func(any) bool {
		return func(v any) bool { text, ok := v.(string); return ok && (!usable(text) || set(to, text)) }
	}
	bin, bins := "", []string(nil)
	for _, field := range []struct {
		key string
		to  func(any) bool
	}{
		{"conf_dir", dir(&s.ConfDir)},
		{"bin_dir", dir(&bin)},
		{"bin_dirs", func(v any) (ok bool) { bins, ok = texts(v); return ok }},
		{"max_conf_num", func(v any) bool {
			n, ok := v.(int64)
			s.Runtime.MaxConfNum = int(n)
			return ok
		}},
		{"use_internal_loopback", func(v any) (ok bool) { s.InternalLoopback, ok = v.(bool); return ok }},
	} {
		if err := take(field.key, field.to); err != nil {
			return err
		}
	}
	if bin != "" {
		bins = append([]string{bin}, bins...)
	}
	if len(bins) > 0 {
		s.Runtime.BinDirs = slices.Compact(bins)
	}
	return nil
}

// noteClasses notes runtime classes with their own config directories.
func (s *Site) noteClasses(path string, runtimes map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(runtimes)) {
		if dir, ok := table(runtimes, name)["cni_conf_dir"].(string); ok && dir != "" {
			s.ClassDirs = append(s.ClassDirs, dir)
			s.How = append(s.How, fmt.Sprintf("runtime class %s has a config directory of its own, %s, which is not looked at: %s; say --conf-dir for it", name, dir, path))
		}
	}
}

// usable reports whether a directory is set, and is not a variable that microk8s fills in.
func usable(dir string) bool { return strings.HasPrefix(dir, "/") }

func set(to *string, value string) bool { *to = value; return true }

// criDisabled reports whether containerd runs without its CRI service, as
// docker's does.
func (p product) criDisabled(root string) bool {
	docs, err := readImports(root, p.config, nil)
	if p.name != "containerd" || err != nil {
		return false
	}
	for _, d := range docs {
		disabled, _ := texts(d.tree["disabled_plugins"])
		for _, name := range disabled {
			if slices.Contains([]string{"cri", "io.containerd.grpc.v1.cri", "io.containerd.cri.v1.runtime"}, name) {
				return true
			}
		}
	}
	return false
}

// A document is one file of a configuration.
type document struct {
	path string // without the root
	tree map[string]any
}

func readTOML(root, path string) (document, error) {
	d := document{path: path}
	content, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		return d, err
	}
	if err := toml.Unmarshal(content, &d.tree); err != nil {
		return d, fmt.Errorf("parse %s: %w", path, err)
	}
	return d, nil
}

// readImports reads a file of containerd and what it imports, in the order in
// which the later one counts: cmd/containerd/server/config, LoadConfig. Relative
// patterns are relative to the file.
func readImports(root, path string, seen []string) ([]document, error) {
	if path == "" || slices.Contains(seen, path) {
		return nil, nil
	}
	d, err := readTOML(root, path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	docs := []document{d}
	patterns, _ := texts(d.tree["imports"])
	for _, pattern := range patterns {
		if !filepath.IsAbs(pattern) {
			pattern = filepath.Join(filepath.Dir(path), pattern)
		}
		matches, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return nil, fmt.Errorf("%s: import %s: %w", path, pattern, err)
		}
		for _, match := range matches {
			more, err := readImports(root, strip(root, match), append(seen, path))
			if err != nil {
				return nil, err
			}
			docs = append(docs, more...)
		}
	}
	return docs, nil
}

// strip returns the path as the runtime has it.
func strip(root, path string) string {
	return "/" + strings.TrimPrefix(strings.TrimPrefix(path, filepath.Clean(root)), "/")
}

// table returns a table of tables, or nil.
func table(tree map[string]any, keys ...string) map[string]any {
	for _, key := range keys {
		tree, _ = tree[key].(map[string]any)
	}
	return tree
}

// tableFold is table for keys in any case, as CRI-O's parser takes them.
func tableFold(tree map[string]any, keys ...string) map[string]any {
	for _, key := range keys {
		value, _ := valueFold(tree, key)
		tree, _ = value.(map[string]any)
	}
	return tree
}

// valueFold returns the value of a key in any case.
func valueFold(tree map[string]any, key string) (any, bool) {
	if value, ok := tree[key]; ok {
		return value, true
	}
	for name, value := range tree {
		if strings.EqualFold(name, key) {
			return value, true
		}
	}
	return nil, false
}

// texts returns an array of strings.
func texts(v any) ([]string, bool) {
	items, ok := v.([]any)
	var list []string
	for _, item := range items {
		text, isText := item.(string)
		list, ok = append(list, text), ok && isText
	}
	return list, ok
}
