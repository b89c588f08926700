// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"time"
)

// A Release is how far the release of an attachment has come. It is written
// before each step, so that a release that was killed is not repeated where that
// would hurt the next pod.
type Release struct {
	Began  time.Time `json:"began"`
	Called []string  `json:"called,omitempty"` // types of the plugins that clean up by address whose DEL was begun
	Failed []string  `json:"failed,omitempty"` // those of Called whose DEL failed
}

// ErrAnotherLife means that an ADD recorded a new sandbox for the attachment
// since the record was read.
var ErrAnotherLife = errors.New("a new sandbox has been recorded for the attachment")

// Mark writes how far the release of the record's attachment has come: into the
// live record if there is one, else into the retired one, which it makes if
// there is none. The caller holds the lock of the attachment. It changes nothing
// and returns ErrAnotherLife if the live record is of another ADD than r.
func (l Ledger) Mark(r Record) error {
	folder := gone
	switch is, err := l.sameLife(r); {
	case err != nil:
		return fmt.Errorf("mark release: %w", err)
	case is:
		folder = live
	}
	data, err := json.Marshal(r)
	if err == nil {
		err = l.write(folder, r.Key, data)
	}
	if err != nil {
		return fmt.Errorf("mark release: %w", err)
	}
	return nil
}

// PutReleased retires the attachment of a record and marks it as released. Like
// Mark, it leaves the record of another ADD alone.
func (l Ledger) PutReleased(r Record) error {
	if _, err := l.sameLife(r); err != nil {
		return fmt.Errorf("mark record as released: %w", err)
	}
	r.Released = true
	data, err := json.Marshal(r)
	if err == nil {
		err = l.write(gone, r.Key, data)
	}
	if err == nil {
		err = os.Remove(l.path(live, r.Key))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("mark record as released: %w", err)
	}
	return l.sweepSometimes(r.Key)
}

// sameLife reports whether there is a live record, of the ADD that r is of.
func (l Ledger) sameLife(r Record) (bool, error) {
	data, err := os.ReadFile(l.path(live, r.Key))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	there, err := parseRecord(data)
	if err != nil || there.Key != r.Key {
		return true, nil // it says nothing that could be lost
	}
	if !there.Added.Equal(r.Added) {
		return false, ErrAnotherLife
	}
	return true, nil
}

// Keys lists the attachments that have a record, retired or not.
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

// Live lists the records of sandboxes that were not deleted.
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

// records yields the records of some folders. A file that is no record is
// skipped, as is one that goes meanwhile.
func (l Ledger) records(folders ...string) iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		for _, folder := range folders {
			dir := filepath.Join(string(l), folder)
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
