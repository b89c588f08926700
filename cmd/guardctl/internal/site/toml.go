// SPDX-License-Identifier: Apache-2.0

package site

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

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

// strip gives the path as the runtime has it.
func strip(root, path string) string {
	return "/" + strings.TrimPrefix(strings.TrimPrefix(path, filepath.Clean(root)), "/")
}

// table gives a table of tables, or nil.
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

// texts gives an array of strings.
func texts(v any) ([]string, bool) {
	items, ok := v.([]any)
	var list []string
	for _, item := range items {
		text, isText := item.(string)
		list, ok = append(list, text), ok && isText
	}
	return list, ok
}
