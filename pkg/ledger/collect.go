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

// Collect forgets every record of the network that valid does not name, and
// gives how many it forgot. It reads no record: the file name says enough.
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
			if keep[e.Name()] || !strings.HasPrefix(e.Name(), network+":") {
				continue
			}
			if err := os.Remove(filepath.Join(dir, e.Name())); err == nil {
				forgotten++
			}
		}
	}
	return forgotten, nil
}
