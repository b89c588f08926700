// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
)

// Bounds of a bundle that is read: it may come from anyone.
const (
	maxPacked   = 256 << 20 // bytes of the file
	maxUnpacked = 256 << 20 // bytes of all files in it
	maxMembers  = 50_000
)

// Open reads a bundle. The file must be a regular one, so that nothing has to be waited
// for.
func Open(name string) (*Snapshot, error) {
	file, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open bundle: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("open bundle: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("open bundle: %w", &fs.PathError{Op: "read", Path: name, Err: errNotRegular})
	}
	if info.Size() > maxPacked {
		return nil, fmt.Errorf("open bundle: %s is larger than %d bytes", name, maxPacked)
	}
	s, err := Read(io.LimitReader(file, maxPacked))
	if err != nil {
		return nil, fmt.Errorf("read bundle %s: %w", name, err)
	}
	return s, nil
}

// Read reads a bundle.
func Read(r io.Reader) (*Snapshot, error) {
	members, err := unpack(r)
	if err != nil {
		return nil, err
	}
	s := &Snapshot{}
	if err := json.Unmarshal(members[manifestName], &s.Manifest); err != nil {
		return nil, fmt.Errorf("read %s: %w", manifestName, err)
	}
	switch m := s.Manifest; {
	case m.Kind != Kind:
		return nil, fmt.Errorf("%s names %q, and not %q: this is no bundle of guardctl", manifestName, m.Kind, Kind)
	case m.SchemaVersion > Version:
		return nil, fmt.Errorf("guardctl %s made it in version %d of the format, and this one reads version %d: use that guardctl, or a newer one", m.GuardVersion, m.SchemaVersion, Version)
	case m.SchemaVersion != Version:
		return nil, fmt.Errorf("it has version %d of the format, and this guardctl reads version %d", m.SchemaVersion, Version)
	}
	if err := verify(s.Manifest, members); err != nil {
		return nil, err
	}
	for name, into := range map[string]any{
		factsName: &s.facts, reportName: &s.Report, kernelName: &s.kernel, callsName: &s.calls, indexName: &s.files.paths,
	} {
		if err := json.Unmarshal(members[name], into); err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
	}
	if err := s.files.check(members); err != nil {
		return nil, err
	}
	s.kernel.Answers.missed, s.calls.missed = s.misses.add, s.misses.add
	return s, nil
}

// unpack returns the files of an archive by their names.
func unpack(r io.Reader) (map[string][]byte, error) {
	zip, err := gzip.NewReader(r)
	if err != nil {
		return nil, err
	}
	left := int64(maxUnpacked)
	archive := tar.NewReader(io.LimitReader(zip, left+int64(maxMembers)*1024))
	members := map[string][]byte{}
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return members, nil
		}
		if err != nil {
			return nil, err
		}
		name := header.Name
		switch {
		case header.Typeflag != tar.TypeReg:
			return nil, fmt.Errorf("%q is not a regular file", name)
		case !filepath.IsLocal(name) || path.Clean(name) != name:
			return nil, fmt.Errorf("%q is not a path within the bundle", name)
		case members[name] != nil:
			return nil, fmt.Errorf("%q is there twice", name)
		case len(members) == 0 && name != manifestName:
			return nil, fmt.Errorf("the first file is %q, and not %s: this is no bundle of guardctl", name, manifestName)
		case len(members) >= maxMembers:
			return nil, fmt.Errorf("it has more than %d files", maxMembers)
		case header.Size < 0 || header.Size > left:
			return nil, fmt.Errorf("its files have more than %d bytes", maxUnpacked)
		}
		content := bytes.NewBuffer([]byte{})
		n, err := io.Copy(content, io.LimitReader(archive, left+1))
		if err != nil {
			return nil, err
		}
		if left -= n; left < 0 {
			return nil, fmt.Errorf("its files have more than %d bytes", maxUnpacked)
		}
		members[name] = content.Bytes()
	}
}

// verify compares the files with the manifest: a bundle that was damaged, or edited by
// hand, must not be judged without notice.
func verify(m Manifest, members map[string][]byte) error {
	if len(m.Files)+1 != len(members) {
		return fmt.Errorf("it has %d files, and %s lists %d", len(members)-1, manifestName, len(m.Files))
	}
	for _, e := range m.Files {
		content, ok := members[e.Name]
		if !ok {
			return fmt.Errorf("%q is missing", e.Name)
		}
		if sum := sha256.Sum256(content); hex.EncodeToString(sum[:]) != e.SHA256 {
			return fmt.Errorf("%q was changed: its content is not what %s has", e.Name, manifestName)
		}
	}
	return nil
}

// check fills in the contents, and refuses an index that no node can have.
func (f *Files) check(members map[string][]byte) error {
	for name, p := range f.paths {
		if p == nil {
			return fmt.Errorf("read %s: nothing is said of %q", indexName, name)
		}
		if p.Open != nil {
			p.Open.content = members[filesDir+name]
			if p.Open.Err == nil && p.Open.content == nil && p.Open.Omitted == "" && p.Open.ReadErr == nil {
				p.Open.Omitted = "its content is missing"
			}
		}
		infos := []*info{}
		if p.Dir != nil {
			for i := range p.Dir.Entries {
				infos = append(infos, &p.Dir.Entries[i])
			}
		}
		for _, s := range []*statAnswer{p.Stat, p.Lstat} {
			if s != nil && s.Info != nil {
				infos = append(infos, s.Info)
			}
		}
		if p.Open != nil {
			infos = append(infos, &p.Open.Info)
		}
		for _, i := range infos {
			if i.Bytes < 0 || strings.ContainsRune(i.FileName, '/') && i.FileName != "/" {
				return fmt.Errorf("read %s: no file is like %q", indexName, name)
			}
		}
	}
	return nil
}
