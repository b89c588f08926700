// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"
)

// A Ledger is the path of its folder. The folder need not exist: Put makes it.
type Ledger string

// Names of the folders inside the ledger.
const (
	live = "live"
	gone = "gone"
	tmp  = "tmp"
)

// Put records a sandbox, in the place of what was recorded for its attachment.
func (l Ledger) Put(r *Record) error {
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("record sandbox: %w", err)
	}
	if err := l.write(live, r.Key, data); err != nil {
		return fmt.Errorf("record sandbox: %w", err)
	}
	return nil
}

// Forget removes what was recorded of an attachment, retired or not.
func (l Ledger) Forget(k Key) error {
	for _, folder := range []string{live, gone} {
		if err := os.Remove(l.path(folder, k)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("forget record: %w", err)
		}
	}
	return nil
}

// write writes a record into a folder, and makes the folders where it is the
// first of this boot.
func (l Ledger) write(folder string, k Key, data []byte) error {
	write := func() error {
		return renameio.WriteFile(l.path(folder, k), data, 0o600, renameio.WithTempDir(filepath.Join(string(l), tmp)))
	}
	err := write()
	if errors.Is(err, fs.ErrNotExist) {
		if err = l.makeFolders(); err == nil {
			err = write()
		}
	}
	return err
}

func (l Ledger) makeFolders() error {
	for _, dir := range []string{live, gone, tmp} {
		if err := os.MkdirAll(filepath.Join(string(l), dir), 0o700); err != nil {
			return err
		}
	}
	return nil
}

// Get gives the record of an attachment, whether or not it was forgotten since.
// The error wraps fs.ErrNotExist where there is none.
func (l Ledger) Get(k Key) (*Record, error) {
	data, err := os.ReadFile(l.path(live, k))
	retired := errors.Is(err, fs.ErrNotExist)
	if retired {
		data, err = os.ReadFile(l.path(gone, k))
	}
	if err != nil {
		return nil, fmt.Errorf("get record: %w", err)
	}
	r, err := parseRecord(data)
	if err != nil {
		return nil, fmt.Errorf("get record: %w", err)
	}
	r.Retired = retired
	if r.Key != k { // a file name may stand for two keys; see fileName
		return nil, fmt.Errorf("get record: %w", fs.ErrNotExist)
	}
	return r, nil
}

// Retire marks the attachment as deleted and keeps its record for a DEL that is
// repeated. It is no error when there is nothing to retire.
func (l Ledger) Retire(k Key) error {
	err := os.Rename(l.path(live, k), l.path(gone, k))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("retire record: %w", err)
	}
	return l.sweepSometimes(k)
}

func (l Ledger) path(folder string, k Key) string {
	return filepath.Join(string(l), folder, k.fileName())
}

// fileName joins the key with colons, which none of its parts may contain
// (SPEC 1.1, section "Parameters"). A name that would be longer than a file
// name can be is cut, and a hash of the whole appended. No name leads out of the
// folder, though a caller that checked nothing gave it.
func (k Key) fileName() string {
	const limit = 200 // NAME_MAX is 255; renameio adds a prefix and a number
	name := strings.ReplaceAll(k.Network+":"+k.ContainerID+":"+k.IfName, "/", "%")
	if len(name) <= limit {
		return name
	}
	h := fnv.New128a()
	_, _ = h.Write([]byte(name))
	return fmt.Sprintf("%s:%x", name[:limit-40], h.Sum(nil))
}
