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

// Collect forgets every live record of the network that valid does not name, and
// gives how many it forgot. It reads no record: the file name says enough. Retired
// records stay, within their bound: libcni repeats the DEL of an attachment that it
// has in its cache at every GC, and what that DEL must know is in them.
func (l Ledger) Collect(network string, valid []Key) (int, error) {
	keep := make(map[string]bool, len(valid))
	for _, k := range valid {
		keep[k.fileName()] = true
	}
	dir := filepath.Join(string(l), live)
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("collect records: %w", err)
	}
	forgotten := 0
	for _, e := range entries {
		if keep[e.Name()] || !strings.HasPrefix(e.Name(), network+":") {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err == nil {
			forgotten++
		}
	}
	return forgotten, nil
}
