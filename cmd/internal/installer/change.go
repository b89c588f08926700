// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// A change is an edit of one config file.
type change struct {
	Edit
	files map[string][]byte // the new content by name; nil for a file that is removed
	steps []Step
}

// planWrite plans to write a file, if it still has the content before.
func (c *change) planWrite(path string, before, after []byte, a attributes) {
	c.files[filepath.Base(path)] = after
	old := filepath.Base(path)
	if before == nil {
		old = "/dev/null"
	}
	c.steps = append(c.steps, Step{
		Does: "write " + path,
		Diff: diff.Diff(old, before, filepath.Base(path), after),
		do:   func() error { return replaceFile(path, before, after, a) },
	})
}

// alias records that a link of the directory leads to a file that changes.
func (c *change) alias(link, target string) {
	c.files[filepath.Base(link)] = c.files[filepath.Base(target)]
}

// ErrRewritten is wrapped if a file changed after the plan was made. [Do] then makes a new
// plan.
var ErrRewritten = errors.New("another program has just written it")

// checkUnchanged returns ErrRewritten unless the file still has the content before; nil
// means that it did not exist. It is called just before the rename, when the new content is
// on the disk, so that only the time between two system calls remains.
func checkUnchanged(path string, before []byte) error {
	now, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && before == nil:
		return nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return explain("read "+path, path, err)
	case err != nil || before == nil || !bytes.Equal(now, before):
		return fmt.Errorf("change %s: %w", path, ErrRewritten)
	}
	return nil
}

// planRename plans to rename a file within its directory, if it still has this content.
func (c *change) planRename(from, to string, content []byte) {
	c.files[filepath.Base(from)] = nil
	if conflist.Loadable(to) {
		c.files[filepath.Base(to)] = content
	}
	c.steps = append(c.steps, Step{
		Does: fmt.Sprintf("rename %s to %s", from, filepath.Base(to)),
		do: func() error {
			if err := checkUnchanged(from, content); err != nil {
				return err
			}
			if err := rename(from, to); err != nil {
				return explain("rename "+from, from, err)
			}
			return nil
		},
	})
}

// planRemove plans to remove a file, if it still has this content.
func (c *change) planRemove(path string, content []byte) {
	c.files[filepath.Base(path)] = nil
	c.steps = append(c.steps, Step{Does: "remove " + path, do: func() error {
		if err := checkUnchanged(path, content); err != nil {
			return err
		}
		return remove(path)
	}})
}

// errOutsideConfDir is wrapped if a file belongs to another program.
var errOutsideConfDir = errors.New("outside of the directory")

// readConf reads a config file and the attributes that a new one inherits. A link is
// followed only within the directory: a file elsewhere belongs to another program, and the
// link must not be replaced by a file.
func readConf(path string) (target string, content []byte, a attributes, err error) {
	if target, err = filepath.EvalSymlinks(path); err != nil {
		return "", nil, a, explain("read "+path, path, err)
	}
	if filepath.Dir(target) != filepath.Dir(path) {
		return target, nil, a, fmt.Errorf("edit %s: it is a link to %s, %w", path, target, errOutsideConfDir)
	}
	if content, err = os.ReadFile(target); err != nil {
		return "", nil, a, explain("read "+path, path, err)
	}
	info, err := os.Stat(target)
	if err != nil {
		return "", nil, a, explain("read "+path, path, err)
	}
	return target, content, attributesOf(info), checkReplaceable(target)
}
