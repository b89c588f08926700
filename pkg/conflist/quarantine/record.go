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
	"strconv"
	"strings"
	"time"
)

// A Note says who puts a file in quarantine, when and why.
type Note struct {
	When time.Time
	Why  string
	UID  int // of the user
}

// A Record describes a file in quarantine.
type Record struct {
	File        string    `json:"file"`        // its original name
	Quarantined string    `json:"quarantined"` // its present name in the same directory
	When        time.Time `json:"when"`        // zero: only the names are known
	Why         string    `json:"why"`
	UID         int       `json:"uid"`
	SHA256      string    `json:"sha256,omitempty"` // of the content, hexadecimal; "" for a link
	Mode        string    `json:"mode"`             // as ls prints it: "-rw-------"
	Link        string    `json:"link,omitempty"`   // the target, if it is a link

	// RecordError says why only the names are known: the record is gone or damaged.
	RecordError string `json:"trouble,omitempty"`
}

// describe returns the part of the record that is read from the file.
func describe(path string) (r Record, err error) {
	info, err := os.Lstat(path)
	if err != nil {
		return r, err
	}
	r.Mode = info.Mode().String()
	switch {
	case info.IsDir():
		return r, errors.New("it is a directory, and runtimes load files only")
	case info.Mode()&fs.ModeSymlink != 0:
		r.Link, err = os.Readlink(path)
	case info.Mode().IsRegular():
		r.SHA256, err = hashFile(path)
	}
	return r, err
}

func hashFile(path string) (string, error) {
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

// equals reports whether the file is unchanged.
func (r Record) equals(other Record) bool {
	return r.SHA256 == other.SHA256 && r.Mode == other.Mode && r.Link == other.Link
}

// write writes the record beside the file atomically. The name of the temporary file is
// always the same, so that none is left behind.
func (d *confDir) write(r Record) error {
	doc, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	path := d.record(r.Quarantined)
	if err := writeSynced(path+newSuffix, append(doc, '\n')); err != nil {
		return errors.Join(err, ignoreMissing(os.Remove(path+newSuffix)))
	}
	if err := os.Rename(path+newSuffix, path); err != nil {
		return errors.Join(err, ignoreMissing(os.Remove(path+newSuffix)))
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

// read returns the record of a file in quarantine.
func (d *confDir) read(quarantined string) Record {
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

func (d *confDir) record(quarantined string) string {
	return filepath.Join(d.path, quarantined+recordSuffix)
}

// ignoreMissing returns nil for an error that a file does not exist.
func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

const (
	// Suffix is appended to the name of a file in quarantine, and a number to the second
	// of that name: "10-b.conflist.cni-guard-quarantined-2".
	Suffix = ".cni-guard-quarantined"

	recordSuffix = ".record" // is appended to the name in quarantine
	newSuffix    = ".new"    // is appended to that while the record is written
)

// nameIn returns the name in quarantine of the n-th file with a name, from 1.
func nameIn(name string, n int) string {
	if n == 1 {
		return name + Suffix
	}
	return fmt.Sprintf("%s%s-%d", name, Suffix, n)
}

// original returns the original name of a file in quarantine. It reports false for other
// files, such as records.
func original(quarantined string) (name string, ok bool) {
	i := strings.LastIndex(quarantined, Suffix)
	if i <= 0 {
		return "", false
	}
	if number := quarantined[i+len(Suffix):]; number != "" {
		n, err := strconv.Atoi(strings.TrimPrefix(number, "-"))
		if err != nil || n < 2 || nameIn(quarantined[:i], n) != quarantined {
			return "", false
		}
	}
	return quarantined[:i], true
}
