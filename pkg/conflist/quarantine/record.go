// SPDX-License-Identifier: Apache-2.0

package quarantine

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// A Note is what somebody says who puts a file away.
type Note struct {
	When time.Time
	Why  string
	UID  int // whose decision it was
}

// A Record is what is known of a file in quarantine.
type Record struct {
	File        string    `json:"file"`        // its name as the runtime knew it
	Quarantined string    `json:"quarantined"` // its name now, in the same folder
	When        time.Time `json:"when"`        // zero: nothing is known but the names
	Why         string    `json:"why"`
	UID         int       `json:"uid"`
	SHA256      string    `json:"sha256,omitempty"` // of the content, hexadecimal; "" where it is no file
	Mode        string    `json:"mode"`             // as ls shows it: "-rw-------"
	Link        string    `json:"link,omitempty"`   // where it leads, if it is a link

	// Trouble says why nothing is known: the record is gone or damaged.
	RecordError string `json:"trouble,omitempty"`
}

// describe makes the record of a file that is about to be put away, or was.
func describe(path string) (r Record, err error) {
	info, err := os.Lstat(path)
	if err != nil {
		return r, err
	}
	r.Mode = info.Mode().String()
	switch {
	case info.IsDir():
		return r, errors.New("it is a folder, which no runtime loads")
	case info.Mode()&fs.ModeSymlink != 0:
		r.Link, err = os.Readlink(path)
	case info.Mode().IsRegular():
		r.SHA256, err = hashOf(path)
	}
	return r, err
}

func hashOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// sameAs tells whether the file is as it was.
func (r Record) sameAs(other Record) bool {
	return r.SHA256 == other.SHA256 && r.Mode == other.Mode && r.Link == other.Link
}

// write puts the record beside the file, whole or not at all. The name it has
// until it is whole is the same each time, so that nothing gathers.
func (d *folder) write(r Record) error {
	doc, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	path := d.record(r.Quarantined)
	if err := writeSynced(path+newSuffix, append(doc, '\n')); err != nil {
		return errors.Join(err, gone(os.Remove(path+newSuffix)))
	}
	if err := os.Rename(path+newSuffix, path); err != nil {
		return errors.Join(err, gone(os.Remove(path+newSuffix)))
	}
	return nil
}

func writeSynced(path string, doc []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(doc)
	return errors.Join(err, f.Sync(), f.Close())
}

// read gives what is known of a file in quarantine.
func (d *folder) read(quarantined string) Record {
	name, _ := original(quarantined)
	lost := Record{File: name, Quarantined: quarantined}
	doc, err := os.ReadFile(d.record(quarantined))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		lost.RecordError = "it has no record"
		return lost
	case err != nil:
		lost.RecordError = fmt.Sprintf("its record cannot be read: %v", err)
		return lost
	}
	var r Record
	if err := json.Unmarshal(doc, &r); err != nil || r.File != name || r.Quarantined != quarantined {
		lost.RecordError = "its record is damaged: " + d.record(quarantined)
		return lost
	}
	return r
}

func (d *folder) record(quarantined string) string {
	return filepath.Join(d.path, quarantined+recordSuffix)
}

// gone takes it for success that a file is not there.
func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
