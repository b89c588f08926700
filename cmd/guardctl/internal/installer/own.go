// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/edit"
)

// insertOwn plans a file of our own, a copy of the effective list with the guard
// in it, or to make it anew if the list changed since. Being of the same network
// it has the same drop-ins.
func (r Request) insertOwn(path string, record *Record) (change, error) {
	own := filepath.Join(r.Site.ConfDir, conflist.OwnFile)
	if r.Site.Runtime.Kind == conflist.Containerd && r.Site.Runtime.MaxConfNum != 1 {
		return change{}, fmt.Errorf("write %s: max_conf_num is %d, and pods would get the network twice, from this file and from %s: use --placement inline", own, r.Site.Runtime.MaxConfNum, path)
	}
	if path == own {
		source, err := r.withoutOwn()
		if err != nil {
			return change{}, err
		}
		path = source
	}
	if filepath.Base(path) < conflist.OwnFile {
		return change{}, fmt.Errorf("write %s: %s sorts before it, and would still be the one that counts: rename that one, or use --placement inline", own, path)
	}
	doc, a, err := readOriginal(path)
	if err != nil {
		return change{}, err
	}
	kept, err := r.keptOfOwn(own, path, record)
	if err != nil {
		return change{}, err
	}
	list := doc
	if filepath.Ext(path) != ".conflist" {
		if list, err = edit.FromConf(doc); err != nil {
			return change{}, fmt.Errorf("make a list of %s: %w", path, err)
		}
	}
	if kept == nil {
		kept = entryIn(list)
	}
	after, err := r.guarded(path, list, kept)
	if err != nil {
		return change{}, err
	}
	c := newChange(own, path, list, after, a)
	return c, errors.Join(mayReplace(own), c.rewriteOver(own, after, a))
}

// withoutOwn gives the file that would count without ours.
func (r Request) withoutOwn() (string, error) {
	v, err := r.newView(map[string][]byte{conflist.OwnFile: nil})
	if err != nil {
		return "", err
	}
	defer v.close()
	f, err := v.target(r.runtimeIn(v))
	if err != nil {
		return "", fmt.Errorf("find what %s is a copy of: %w: the file stays as it is; put the primary plugin's own back, or run guardctl uninstall", conflist.OwnFile, err)
	}
	if err := r.suits(f); err != nil {
		return "", fmt.Errorf("%w, after guardctl uninstall", err)
	}
	return filepath.Join(r.Site.ConfDir, f.Name), nil
}

func readOriginal(path string) ([]byte, attributes, error) {
	doc, err := os.ReadFile(path)
	if err != nil {
		return nil, attributes{}, explain("read "+path, path, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, attributes{}, explain("read "+path, path, err)
	}
	return doc, attributesOf(info), nil
}

// rewriteOver is rewrite of a file that may be there, and may be right already.
func (c *change) rewriteOver(path string, after []byte, a attributes) error {
	before, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return explain("read "+path, path, err)
	}
	if err == nil && bytes.Equal(before, after) {
		c.files[filepath.Base(path)] = after
		return nil
	}
	if err != nil {
		before = nil
	}
	c.rewrite(path, before, after, a)
	return nil
}
