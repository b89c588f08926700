// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"path/filepath"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// A guardEntry is what the effective conflist says to cni-guard. Without From it
// is what a node without such an entry has.
type guardEntry struct {
	checks.Entry
	From string // the file; "" where there is no such entry
}

func defaultEntry() guardEntry { return guardEntry{Entry: checks.DefaultEntry()} }

// readGuardEntry reads the guard's entry in one file of the conf dir, the last
// where there are two. A file without one gives the defaults. Beside an error
// stands what could be read.
func readGuardEntry(dir, name string) (guardEntry, error) {
	e := defaultEntry()
	list, err := conflist.Read(dir, name)
	if err != nil {
		return e, fmt.Errorf("read %s: %w", filepath.Join(dir, name), err)
	}
	entry, problems, isGuarded := checks.EntryIn(list)
	if e.Entry = entry; isGuarded {
		e.From = filepath.Join(dir, name)
	}
	if text := checks.EntryErrors(problems); text != "" {
		return e, fmt.Errorf("read the entry of cni-guard in %s: %s", e.From, text)
	}
	return e, nil
}
