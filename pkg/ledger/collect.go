// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Collect forgets every record of the network that valid does not name, and gives
// how many it forgot. It keeps what was released, also in part: libcni repeats the
// DEL of an attachment that is still in its cache at every GC.
func (l Ledger) Collect(network string, valid []Key) (int, error) {
	keep := make(map[string]bool, len(valid))
	for _, k := range valid {
		keep[k.fileName()] = true
	}
	forgotten := 0
	for _, folder := range []string{live, gone} {
		dir := filepath.Join(string(l), folder)
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return forgotten, fmt.Errorf("collect records: %w", err)
		}
		for _, e := range entries {
			path := filepath.Join(dir, e.Name())
			if keep[e.Name()] || !strings.HasPrefix(e.Name(), network+":") || released(path) {
				continue
			}
			if err := os.Remove(path); err == nil {
				forgotten++
			}
		}
	}
	return forgotten, nil
}

// released reports whether the file says of its sandbox that a release was begun.
func released(path string) bool {
	data, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	r, err := parseRecord(data)
	return err == nil && (r.Released || r.Release != nil)
}
