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

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/site"
	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// RecordDir is where the record is, unless the operator says otherwise.
const RecordDir = "/var/lib/cni-guard"

// A Record is what install writes down before it edits, for uninstall: the file
// install.json of the record's folder.
type Record struct {
	Installed time.Time `json:"installed"`
	Placement Placement `json:"placement"`
	// Named says that the operator named the file: it may be a sample.
	Named bool `json:"named,omitempty"`
	Site  Node `json:"site"`
	Edit  Edit `json:"edit"`
	// Programs are those that install put there, by their paths.
	Programs map[string]Program `json:"programs"`
	// Snapshot is the conf dir as install left it.
	Snapshot Snapshot `json:"snapshot"`
}

// A Node is a site.Site as it is written down.
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

// An Edit is what became of the effective file.
type Edit struct {
	// Path is the file that has the guard; From the one that it was made of, where
	// that is another: a .conf that became a list, or the list that the guard's own
	// file is a copy of.
	Path string `json:"path"`
	From string `json:"from,omitempty"`
	// Aside is where From is now, if it was put away.
	Aside string `json:"aside,omitempty"`
	// Original are the bytes of From, or of Path without the guard.
	Original []byte `json:"original"`
	// Before and After are the SHA-256 of Original and of Path with the guard.
	Before string      `json:"before"`
	After  string      `json:"after"`
	Mode   fs.FileMode `json:"mode"`
	UID    int         `json:"uid"`
	GID    int         `json:"gid"`
}

// A Program is a binary that install put into place.
type Program struct {
	SHA256 string `json:"sha256"`
	// Replaced is the SHA-256 of what was there before; "" for nothing.
	Replaced string `json:"replaced,omitempty"`
	// Kept is where that is now; "" where it is gone.
	Kept string `json:"kept,omitempty"`
}

// A Snapshot is a conf dir at one time.
type Snapshot struct {
	// Files has the SHA-256 of each file of the folder by its name, loadable or not.
	Files map[string]string `json:"files"`
	// Effective is the file that the runtime selected, and Content its bytes.
	Effective string `json:"effective"`
	Content   []byte `json:"content"`
}

// ReadRecord reads the record of a folder; the error wraps fs.ErrNotExist where
// there is none.
func ReadRecord(dir string) (*Record, error) {
	path := recordPath(dir)
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read record of the installation: %w", err)
	}
	r := new(Record)
	if err := json.Unmarshal(content, r); err != nil {
		return nil, fmt.Errorf("read record of the installation %s: %w: move it away, and uninstall goes by what it finds", path, err)
	}
	return r, nil
}

// readIfAny is ReadRecord, nil where there is none.
func readIfAny(dir string) (*Record, error) {
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
	// The configuration may name credentials: root only.
	return writeFile(recordPath(dir), append(content, '\n'), attributes{mode: 0o600, uid: os.Geteuid(), gid: os.Getegid()})
}

// same reports whether writing the record would say nothing new.
func (r *Record) same(other *Record) bool {
	if r == nil || other == nil {
		return r == other
	}
	a, b := *r, *other
	a.Installed, b.Installed = time.Time{}, time.Time{}
	a.Snapshot, b.Snapshot = Snapshot{}, Snapshot{}
	return reflect.DeepEqual(a, b)
}

// Site gives the site that was installed on.
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
