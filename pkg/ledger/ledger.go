// SPDX-License-Identifier: Apache-2.0

// Package ledger stores what ADD recorded about each sandbox, so that DEL can
// recognize the same sandbox.
//
// A ledger is a directory on a tmpfs with one small JSON file per attachment:
//
//	live/NETWORK:CONTAINERID:IFNAME   written by ADD
//	gone/NETWORK:CONTAINERID:IFNAME   moved there by DEL
//	tmp/                              records that are being written
//	locks/NETWORK:CONTAINERID:IFNAME  held by the process that releases the attachment
//
// A record outlives its DEL because the runtime repeats a DEL if another plugin of
// the chain failed, and by then the namespace path may lead elsewhere. Files are
// created and moved by rename, so a record is complete or absent at whatever moment
// a process is killed. ADD and DEL need no lock: a runtime never runs both for one
// attachment at once, except in a race in which either order is correct. A release
// needs one, because no plugin may be called twice for it. The number of files in
// each directory is bounded.
package ledger

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/renameio/v2"
)

// A Ledger is the path of the ledger's directory. Put creates it if needed.
type Ledger string

// The directories inside a ledger.
const (
	live = "live"
	gone = "gone"
	tmp  = "tmp"
)

// Put records a sandbox. It replaces an earlier record of the same attachment.
func (l Ledger) Put(r *Record) error {
	if err := l.write(live, *r); err != nil {
		return fmt.Errorf("record sandbox: %w", err)
	}
	return nil
}

// Get returns the record of an attachment, retired or not. The error wraps
// fs.ErrNotExist if there is none.
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
	if r.Key != k { // two keys may have the same file name; see fileName
		return nil, fmt.Errorf("get record: %w", fs.ErrNotExist)
	}
	return r, nil
}

// Retire marks the attachment as deleted. Its record stays available to a repeated
// DEL. An attachment without a record is no error.
func (l Ledger) Retire(k Key) error {
	err := os.Rename(l.path(live, k), l.path(gone, k))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("retire record: %w", err)
	}
	return l.sweepSometimes(k)
}

// Forget removes the record of an attachment, retired or not.
func (l Ledger) Forget(k Key) error {
	for _, dir := range []string{live, gone} {
		if err := os.Remove(l.path(dir, k)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("forget record: %w", err)
		}
	}
	return nil
}

// Keys returns the attachments that have a record, retired or not.
func (l Ledger) Keys() ([]Key, error) {
	var keys []Key
	for r, err := range l.records(live, gone) {
		if err != nil {
			return nil, fmt.Errorf("list records: %w", err)
		}
		keys = append(keys, r.Key)
	}
	return keys, nil
}

// Live returns the records that are not retired.
func (l Ledger) Live() ([]*Record, error) {
	var all []*Record
	for r, err := range l.records(live) {
		if err != nil {
			return nil, fmt.Errorf("list records: %w", err)
		}
		all = append(all, r)
	}
	return all, nil
}

// LiveOf returns the records of a boot that are not retired.
func (l Ledger) LiveOf(bootID string) ([]*Record, error) {
	all, err := l.Live()
	return slices.DeleteFunc(all, func(r *Record) bool { return r.BootID != bootID }), err
}

// records yields the records in the named directories. It skips files that hold no
// record and files that are removed meanwhile.
func (l Ledger) records(dirs ...string) iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		for _, name := range dirs {
			dir := filepath.Join(string(l), name)
			entries, err := os.ReadDir(dir)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				yield(nil, err)
				return
			}
			for _, e := range entries {
				data, err := os.ReadFile(filepath.Join(dir, e.Name()))
				if err != nil {
					continue
				}
				if r, err := parseRecord(data); err == nil && !yield(r, nil) {
					return
				}
			}
		}
	}
}

// write writes a record to one of the ledger's directories. It creates the
// directories on first use.
func (l Ledger) write(dir string, r Record) error {
	data, err := r.encode()
	if err != nil {
		return err
	}
	write := func() error {
		return renameio.WriteFile(l.path(dir, r.Key), data, 0o600, renameio.WithTempDir(filepath.Join(string(l), tmp)))
	}
	if err = write(); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := l.makeDirs(); err != nil {
		return err
	}
	return write()
}

func (l Ledger) makeDirs() error {
	for _, dir := range []string{live, gone, tmp} {
		if err := os.MkdirAll(filepath.Join(string(l), dir), 0o700); err != nil {
			return err
		}
	}
	return nil
}

func (l Ledger) path(dir string, k Key) string {
	return filepath.Join(string(l), dir, k.fileName())
}
