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

// A change is an edit of one network configuration.
type change struct {
	Edit
	files map[string][]byte // of the folder, as they will be; nil content for one that goes
	steps []Step
}

// rewrite plans to change a file that is as it was read.
func (c *change) rewrite(path string, before, after []byte, a attributes) {
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

// alias says that a link of the folder leads to a file that changes.
func (c *change) alias(link, target string) {
	c.files[filepath.Base(link)] = c.files[filepath.Base(target)]
}

// ErrRewritten says that a file of the conf dir is no longer what the plan was made
// from. [Do] then plans again.
var ErrRewritten = errors.New("somebody else wrote it in this moment")

// unchanged reports ErrRewritten unless the file is as it was read; nil for before
// means that there was none. It is called right before the rename, when the new
// content is on the disk: what remains is the time between two system calls.
func unchanged(path string, before []byte) error {
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

// move plans to rename a file within its folder, if it still has this content.
func (c *change) move(from, to string, content []byte) {
	c.files[filepath.Base(from)] = nil
	if conflist.Loadable(to) {
		c.files[filepath.Base(to)] = content
	}
	c.steps = append(c.steps, Step{
		Does: fmt.Sprintf("rename %s to %s", from, filepath.Base(to)),
		do: func() error {
			if err := unchanged(from, content); err != nil {
				return err
			}
			if err := rename(from, to); err != nil {
				return explain("rename "+from, from, err)
			}
			return nil
		},
	})
}

// drop plans to remove a file, if it still has this content.
func (c *change) drop(path string, content []byte) {
	c.files[filepath.Base(path)] = nil
	c.steps = append(c.steps, Step{Does: "remove " + path, do: func() error {
		if err := unchanged(path, content); err != nil {
			return err
		}
		return remove(path)
	}})
}

// errOutside says that a file is another program's to write.
var errOutside = errors.New("outside of the folder")

// readConf reads a configuration and what a new one takes over from it. A link is
// followed only within the folder: a file elsewhere is somebody else's to write,
// and a link that became a file would be worse.
func readConf(path string) (target string, content []byte, a attributes, err error) {
	if target, err = filepath.EvalSymlinks(path); err != nil {
		return "", nil, a, explain("read "+path, path, err)
	}
	if filepath.Dir(target) != filepath.Dir(path) {
		return target, nil, a, fmt.Errorf("edit %s: it is a link to %s, %w", path, target, errOutside)
	}
	if content, err = os.ReadFile(target); err != nil {
		return "", nil, a, explain("read "+path, path, err)
	}
	info, err := os.Stat(target)
	if err != nil {
		return "", nil, a, explain("read "+path, path, err)
	}
	return target, content, attributesOf(info), mayReplace(target)
}
