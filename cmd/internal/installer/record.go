// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"time"

	"github.com/cni-guard/cni-guard/cmd/internal/site"
	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// RecordDir is the default directory of the record.
const RecordDir = "/var/lib/cni-guard"

// A Record is what install records for uninstall before it edits a file: install.json in
// the record directory.
type Record struct {
	Installed time.Time `json:"installed"`
	Placement Placement `json:"placement"`
	// Named says that the operator named the file, which may be a sample.
	Named bool `json:"named,omitempty"`
	Site  Node `json:"site"`
	Edit  Edit `json:"edit"`
	// Programs are the installed programs, by path.
	Programs map[string]Program `json:"programs"`
	// Snapshot is the config directory after install.
	Snapshot Snapshot `json:"snapshot"`
}

// A Node is a site.Site in a record.
type Node struct {
	Runtime        conflist.Kind `json:"runtime"`
	MaxConfNum     int           `json:"maxConfNum"`
	DefaultNetwork string        `json:"defaultNetwork,omitempty"`
	ConfDir        string        `json:"confDir"`
	BinDir         string        `json:"binDir"`
	BinDirs        []string      `json:"binDirs"`
	CacheDir       string        `json:"cacheDir"`
	ClassDirs      []string      `json:"classDirs,omitempty"`
}

// An Edit is the change of the effective file.
type Edit struct {
	// Path is the file with the guard. From is its source, if that is another file: a .conf
	// that was converted to a list, or the source of the guard's own file.
	Path string `json:"path"`
	From string `json:"from,omitempty"`
	// Aside is the new path of From, if it was renamed.
	Aside string `json:"aside,omitempty"`
	// Original is the content of From, or of Path without the guard.
	Original []byte `json:"original"`
	// Before and After are the SHA-256 of Original and of Path with the guard.
	Before string      `json:"before"`
	After  string      `json:"after"`
	Mode   fs.FileMode `json:"mode"`
	UID    int         `json:"uid"`
	GID    int         `json:"gid"`
}

// A Program is an installed program.
type Program struct {
	SHA256 string `json:"sha256"`
	// Replaced is the SHA-256 of the file that it replaced; "" if there was none.
	Replaced string `json:"replaced,omitempty"`
	// Kept is the new path of that file; "" if it is gone.
	Kept string `json:"kept,omitempty"`
}

// A Snapshot is the content of a config directory.
type Snapshot struct {
	// Files has the SHA-256 of each file by name, loadable or not.
	Files map[string]string `json:"files"`
	// Effective is the file that the runtime selects, and Content its content.
	Effective string `json:"effective"`
	Content   []byte `json:"content"`
}

// ReadRecord reads the record in a directory. The error wraps fs.ErrNotExist if there is
// none.
func ReadRecord(dir string) (*Record, error) {
	path := recordPath(dir)
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read record of the installation: %w", err)
	}
	r := new(Record)
	if err := json.Unmarshal(content, r); err != nil {
		return nil, fmt.Errorf("read record of the installation %s: %w: rename it, and uninstall works without it", path, err)
	}
	return r, nil
}

// readRecordIfExists is ReadRecord, but returns nil if there is none.
func readRecordIfExists(dir string) (*Record, error) {
	r, err := ReadRecord(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return r, err
}

func recordPath(dir string) string { return filepath.Join(dir, "install.json") }

func (r *Record) write(dir string) error {
	content, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("write record of the installation: %w", err)
	}
	// The config file may contain credentials: root only.
	return writeFile(recordPath(dir), append(content, '\n'), attributes{mode: 0o600, uid: os.Geteuid(), gid: os.Getegid()})
}

// same reports whether two records differ only in time and snapshot.
func (r *Record) same(other *Record) bool {
	if r == nil || other == nil {
		return r == other
	}
	a, b := *r, *other
	a.Installed, b.Installed = time.Time{}, time.Time{}
	a.Snapshot, b.Snapshot = Snapshot{}, Snapshot{}
	return reflect.DeepEqual(a, b)
}

// Site returns the site of the record.
func (n Node) Site() site.Site {
	return site.Site{
		Runtime: conflist.Runtime{Kind: n.Runtime, MaxConfNum: n.MaxConfNum, DefaultNetwork: n.DefaultNetwork, BinDirs: n.BinDirs},
		ConfDir: n.ConfDir, BinDir: n.BinDir, CacheDir: n.CacheDir, ClassDirs: n.ClassDirs,
	}
}

func nodeOf(s site.Site) Node {
	return Node{
		Runtime: s.Runtime.Kind, MaxConfNum: s.Runtime.MaxConfNum, DefaultNetwork: s.Runtime.DefaultNetwork,
		ConfDir: s.ConfDir, BinDir: s.BinDir, BinDirs: s.Runtime.BinDirs, CacheDir: s.CacheDir, ClassDirs: s.ClassDirs,
	}
}

func hash(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// recordOfSite returns the record of the site with its present paths, nil if there is none.
// The config directory of another record is added to Elsewhere. The paths must be absolute.
func (r *Request) recordOfSite() (*Record, error) {
	record, err := readRecordIfExists(r.RecordDir)
	if err != nil || record == nil {
		return nil, err
	}
	if record.Site.ConfDir != r.siteAsNamed.ConfDir && resolveLinks(record.Site.ConfDir) != r.Site.ConfDir {
		r.Elsewhere = append(r.Elsewhere, record.Site.ConfDir)
		return nil, nil
	}
	record.Edit.moveTo(r.Site.ConfDir)
	return record, nil
}

// moveTo moves the paths of an edit to the present config directory, which may be a link
// that was changed since: microk8s changes it with every refresh.
func (e *Edit) moveTo(dir string) {
	for _, path := range []*string{&e.Path, &e.From, &e.Aside} {
		if *path != "" {
			*path = filepath.Join(dir, filepath.Base(*path))
		}
	}
}

// checkRecordDir refuses to overwrite the record of another config directory, which is needed
// to uninstall that one.
func (r Request) checkRecordDir() error {
	record, err := readRecordIfExists(r.RecordDir)
	if err != nil || record == nil {
		return err
	}
	dir := resolveLinks(record.Site.ConfDir)
	if dir == r.Site.ConfDir || record.Site.ConfDir == r.siteAsNamed.ConfDir || len(filesNamingGuard(dir, canReturn)) == 0 {
		return nil
	}
	return fmt.Errorf("install for %s: %s is the record of %s, which has the guard, too: use another --record-dir, also for uninstall", r.siteAsNamed.ConfDir, recordPath(r.RecordDir), record.Site.ConfDir)
}

// resolveLinks resolves the links of a path, if it exists.
func resolveLinks(dir string) string {
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		return real
	}
	return filepath.Clean(dir)
}
