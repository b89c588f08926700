// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cni-guard/cni-guard/cmd/internal/redact"
)

// Names of the files of a bundle. Files of the node are below filesDir, by their paths.
const (
	manifestName = "manifest.json"
	factsName    = "node.json"
	reportName   = "report.json"
	kernelName   = "kernel.json"
	callsName    = "calls.json"
	indexName    = "files.json"
	filesDir     = "files"
)

// Kind and Version identify a bundle.
const (
	Kind    = "cni-guard-bundle"
	Version = 1
)

// A Manifest is the first file of a bundle.
type Manifest struct {
	Kind          string    `json:"kind"`
	SchemaVersion int       `json:"schemaVersion"`
	Created       time.Time `json:"created"`
	Host          string    `json:"host"`
	GuardVersion  string    `json:"guardVersion"`
	Files         []Entry   `json:"files"` // all others, in their order
	// Omitted are files of the node whose content is not in the bundle.
	Omitted []Omitted `json:"omitted,omitempty"`
	// Limits are what could not be looked at, a sentence each.
	Limits []string `json:"limits,omitempty"`
}

// An Entry is a file of a bundle.
type Entry struct {
	Name     string `json:"name"`
	Size     int64  `json:"size"`
	SHA256   string `json:"sha256"`
	Redacted int    `json:"redacted,omitempty"` // secrets that were removed from it
}

// An Omitted is a file whose content is missing.
type Omitted struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
}

// A member is a file of a bundle with its content.
type member struct {
	Entry
	content []byte
}

// Write writes the bundle, without secrets. It sets the files of the manifest.
func (s *Snapshot) Write(w io.Writer) error {
	members, err := s.members()
	if err != nil {
		return err
	}
	m := &s.Manifest
	m.Kind, m.SchemaVersion, m.Created, m.Files = Kind, Version, s.facts.Time, nil
	for _, one := range members {
		m.Files = append(m.Files, one.Entry)
	}
	manifest, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	zip := gzip.NewWriter(w)
	archive := tar.NewWriter(zip)
	for _, one := range append([]member{{Entry: Entry{Name: manifestName}, content: manifest}}, members...) {
		header := &tar.Header{Name: one.Name, Mode: 0o600, Size: int64(len(one.content)), ModTime: s.facts.Time.Truncate(time.Second), Typeflag: tar.TypeReg}
		if err := archive.WriteHeader(header); err != nil {
			return fmt.Errorf("write %s: %w", one.Name, err)
		}
		if _, err := archive.Write(one.content); err != nil {
			return fmt.Errorf("write %s: %w", one.Name, err)
		}
	}
	if err := archive.Close(); err != nil {
		return fmt.Errorf("write bundle: %w", err)
	}
	if err := zip.Close(); err != nil {
		return fmt.Errorf("write bundle: %w", err)
	}
	return nil
}

// members returns the files of the bundle but the manifest.
func (s *Snapshot) members() ([]member, error) {
	secrets := redact.New()
	var all []member
	add := func(name string, content []byte, redacted int) {
		sum := sha256.Sum256(content)
		all = append(all, member{Entry{name, int64(len(content)), hex.EncodeToString(sum[:]), redacted}, content})
	}
	for _, doc := range []struct {
		name     string
		value    any
		redacted bool // by this function; kernel.json was when it was recorded, and files.json has no contents
	}{
		{factsName, s.facts, true},
		{reportName, s.Report, true},
		{callsName, &s.calls, true},
		{kernelName, s.kernel.locked(), false},
		{indexName, s.files.locked(), false},
	} {
		text, err := json.Marshal(doc.value)
		if err != nil {
			return nil, fmt.Errorf("write %s: %w", doc.name, err)
		}
		n := 0
		if doc.redacted {
			text, n = secrets.Text(text)
		}
		var indented bytes.Buffer
		if err := json.Indent(&indented, text, "", " "); err != nil {
			return nil, fmt.Errorf("write %s: %w", doc.name, err)
		}
		add(doc.name, append(indented.Bytes(), '\n'), n)
	}
	s.Manifest.Omitted = nil
	s.files.mu.Lock()
	defer s.files.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(s.files.paths)) {
		open := s.files.paths[name].Open
		switch {
		case open == nil || open.Err != nil || !strings.HasPrefix(name, "/"):
		case open.Omitted != "":
			s.Manifest.Omitted = append(s.Manifest.Omitted, Omitted{name, open.Omitted})
		case open.content != nil:
			content, n := secrets.Text(open.content)
			add(filesDir+name, content, n)
		}
	}
	return all, nil
}

// locked returns a copy of the answers that a check that was given up does not change.
func (k *kernel) locked() any {
	k.Answers.mu.Lock()
	defer k.Answers.mu.Unlock()
	conversations, err := json.Marshal(k.Conversations)
	if err != nil {
		conversations = []byte("null")
	}
	dials, err := json.Marshal(k.Dialed)
	if err != nil {
		dials = []byte("null")
	}
	asked := slices.Clone(k.Answers.asked)
	answers, err := json.Marshal(asked)
	if err != nil {
		answers = []byte("[]")
	}
	return map[string]json.RawMessage{"answers": answers, "conversations": conversations, "dialed": dials}
}

// locked returns the index as JSON.
func (f *Files) locked() any {
	f.mu.Lock()
	defer f.mu.Unlock()
	text, err := json.Marshal(f.paths)
	if err != nil {
		text = []byte("{}")
	}
	return json.RawMessage(text)
}
