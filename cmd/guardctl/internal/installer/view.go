// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/containernetworking/cni/libcni"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// A view is a conf dir as it will be: links to what stays, and files that are new.
type view struct {
	dir  string // of the links
	real string
	top  string // has dir, and the stand-in of the plugin
}

// viewPrefix begins the names of views.
const viewPrefix = "view-"

// newView makes a view; changes has the content of files by their names, nil for
// one that will be gone. Remove it by close.
func (r Request) newView(changes map[string][]byte) (v view, err error) {
	v.real = r.Site.ConfDir
	parent := r.viewParent()
	if v.top, err = os.MkdirTemp(parent, viewPrefix); err != nil {
		return v, fmt.Errorf("look at the folder as it will be: %w: free some space (df %s)", err, cmp.Or(parent, os.TempDir()))
	}
	defer func() {
		if err != nil {
			v.close()
			err = fmt.Errorf("look at the folder as it will be: %w", err)
		}
	}()
	v.dir = filepath.Join(v.top, "conf")
	if err := v.prepare(); err != nil {
		return v, err
	}
	if err := v.link(v.real, v.dir, changes); err != nil {
		return v, err
	}
	for name, content := range changes {
		if content != nil {
			if err := os.WriteFile(filepath.Join(v.dir, name), content, 0o600); err != nil {
				return v, err
			}
		}
	}
	return v, nil
}

// viewParent returns the folder for views, "" for the usual one of temporary files. A
// dry run leaves the folder of the record alone, where Lock removes the views of
// commands that were killed. TMPDIR is of the container, and not of the node.
func (r Request) viewParent() string {
	switch {
	case !r.DryRun && exists(r.RecordDir):
		return r.RecordDir
	case r.rooted && isFolder("/run"):
		return "/run"
	case r.rooted:
		return "/tmp"
	}
	return ""
}

// prepare makes the empty folder, and a stand-in of the plugin, which may not be
// installed yet.
func (v view) prepare() error {
	if err := os.Mkdir(v.dir, 0o700); err != nil {
		return err
	}
	return os.WriteFile(v.standIn(), nil, 0o600)
}

func (v view) standIn() string { return filepath.Join(v.top, plugin) }

// runtimeIn returns the runtime of the site as it will be when our programs are
// there.
func (r Request) runtimeIn(v view) conflist.Runtime {
	run := r.Site.Runtime
	run.BinDirs = append(slices.Clone(run.BinDirs), v.top)
	run.Supports = func(binary, cniVersion string) error {
		switch {
		case binary == v.standIn() && r.release != nil:
			return r.release.supports(cniVersion)
		case binary == v.standIn() || r.Supports == nil:
			return nil
		}
		return r.Supports(binary, cniVersion)
	}
	return run
}

// link fills a folder. Folders, which have drop-ins, are made: a link to one
// would be loadable where the folder is not.
func (v view) link(from, to string, but map[string][]byte) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		source, target := filepath.Join(from, e.Name()), filepath.Join(to, e.Name())
		if _, changed := but[e.Name()]; changed {
			continue
		}
		if !e.IsDir() {
			err = os.Symlink(source, target)
		} else if err = os.Mkdir(target, 0o700); err == nil && from == v.real {
			err = v.link(source, target, nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (v view) close() { _ = os.RemoveAll(v.top) }

// says puts the real folder into a message.
func (v view) says(text string) string {
	return strings.NewReplacer(v.dir, v.real, v.standIn(), plugin, ", "+v.top, "").Replace(text)
}

// selected gives what the runtime will select.
func (v view) selected(r conflist.Runtime) (conflist.File, error) {
	s, err := conflist.Select(v.dir, r)
	if err != nil {
		return conflist.File{}, errors.New(v.says(err.Error()))
	}
	if f := s.Effective(); f != nil {
		return *f, v.parsed(*f)
	}
	return conflist.File{}, errors.New(v.says(s.Err.Error()))
}

// parsed lets libcni itself parse a list.
func (v view) parsed(f conflist.File) error {
	if filepath.Ext(f.Name) != ".conflist" {
		return nil
	}
	if _, err := libcni.NetworkConfFromFile(filepath.Join(v.dir, f.Name)); err != nil {
		return errors.New(v.says(err.Error()))
	}
	return nil
}

// snapshot takes the folder down.
func (v view) snapshot(effective string) (Snapshot, error) {
	s := Snapshot{Files: map[string]string{}, Effective: effective}
	entries, err := os.ReadDir(v.dir)
	if err != nil {
		return s, err
	}
	for _, e := range entries {
		path := filepath.Join(v.dir, e.Name())
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() {
			continue // a link to nowhere, a pipe, a folder
		}
		content, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		s.Files[e.Name()] = hash(content)
		if e.Name() == effective {
			s.Content = content
		}
	}
	return s, nil
}

// changesOf merges what several edits make of a folder.
func changesOf(edits []change) map[string][]byte {
	all := map[string][]byte{}
	for _, e := range edits {
		maps.Copy(all, e.files)
	}
	return all
}
