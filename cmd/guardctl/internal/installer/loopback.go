// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/pluginquery"
)

// loopbackDir returns the folder of the loopback plugin that the runtime finds, or
// that of our programs where it finds none.
func (r Request) loopbackDir() string {
	for _, dir := range r.Site.Runtime.BinDirs {
		if info, err := os.Stat(filepath.Join(dir, lo)); err == nil && info.Mode().IsRegular() {
			return dir
		}
	}
	return r.Site.BinDir
}

// ours reports whether a loopback plugin that is there is ours.
func ours(path string) (bool, error) {
	is, err := pluginquery.IsGuardLoopback(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, explain("look at "+path, path, err)
	}
	return is, nil
}

// planLoopback plans to put the safe loopback plugin in the place of the one that
// is there, which is kept beside it. One that a package brought since is kept in
// the place of the older one.
func (p *Plan) planLoopback(r Request) (string, Program, error) {
	b := program{r.release.loopback(), filepath.Join(r.loopbackDir(), lo)}
	if b.built == nil {
		return b.to, Program{}, r.release.noLoopback()
	}
	is, err := ours(b.to)
	if err != nil {
		return b.to, Program{}, err
	}
	keep := filepath.Join(filepath.Dir(b.to), kept)
	if exists(b.to) && !is {
		if err := mayReplace(keep); err != nil {
			return b.to, Program{}, err
		}
		p.step(func() error { return keepBeside(b.to, keep) }, "keep %s as %s", b.to, keep)
	}
	entry, err := p.planProgram(b)
	if err == nil && exists(b.to) && (exists(keep) || !is) {
		entry.Kept = keep
	}
	return b.to, entry, err
}

// keepBeside gives a file a second name, whole or not at all, while the first one
// stays: no pod may miss it.
func keepBeside(path, keep string) error {
	beside := keep + suffix
	if err := os.Remove(beside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return explain("keep "+path, path, err)
	}
	if err := os.Link(path, beside); err != nil {
		info, statErr := os.Stat(path)
		if statErr != nil {
			return explain("keep "+path, path, statErr)
		}
		return copyFile(keep, path, attributesOf(info)) // a file system without links
	}
	if err := rename(beside, keep); err != nil {
		_ = os.Remove(beside)
		return explain("keep "+path, path, err)
	}
	// Renaming one name of a file to another of the same file does nothing.
	return remove(beside)
}

// planOldLoopback plans to put back what our loopback plugin replaced.
func (p *Plan) planOldLoopback(r Request) error {
	for _, dir := range r.Site.Runtime.BinDirs {
		path, keep := filepath.Join(dir, lo), filepath.Join(dir, kept)
		is, err := ours(path)
		if err != nil {
			return err
		}
		switch {
		case exists(keep) && (is || !exists(path)):
			if err := mayReplace(path); err != nil {
				return err
			}
			p.step(func() error { return putBack(keep, path) }, "put %s back", path)
		case exists(keep):
			p.note("%s is not ours: somebody replaced it since; %s stays beside it", path, keep)
		case is:
			p.note("%s is ours, and replaced nothing: it stays, for pods of containerd and cri-dockerd need one", path)
		}
	}
	return nil
}

func putBack(keep, path string) error {
	if err := rename(keep, path); err != nil {
		return explain(fmt.Sprintf("put %s back", path), path, err)
	}
	return nil
}
