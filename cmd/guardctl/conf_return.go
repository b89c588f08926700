// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/quarantine"
)

// mayReturn refuses to bring back what would take the place of the network that
// pods have, be attached beside it, or keep the runtime from loading any. It is
// the question of mayGo, the other way round.
func (n *confNode) mayReturn(name string) error {
	r, err := n.meant(name)
	if err != nil || r.File == "" {
		return err
	}
	now, err := conflist.Select(n.dir, n.runtime)
	if err != nil {
		return err
	}
	then, err := n.selectWith(r)
	if err != nil {
		return err
	}
	does := n.returning(now, then, r)
	if does == "" {
		return nil
	}
	return &exitError{
		code: cannotTell,
		err:  fmt.Errorf("restore %s: %s", n.path(r.File), does),
		hint: "correct " + n.path(r.Quarantined) + " first if it is wrong; --force brings it back as it is",
	}
}

// meant gives the one file in quarantine that a name stands for; none where it is
// not clear, which is for the quarantine to say.
func (n *confNode) meant(name string) (r quarantine.Record, err error) {
	records, err := quarantine.List(n.dir)
	if err != nil {
		return r, err
	}
	found := 0
	for _, other := range records {
		if other.Quarantined == name {
			return other, nil
		}
		if other.File == name {
			r, found = other, found+1
		}
	}
	if found != 1 {
		return quarantine.Record{}, nil
	}
	return r, nil
}

// returning completes the sentence on what a file would do; "" where it does no
// harm. The guard's own file may take its place again.
func (n *confNode) returning(now, then conflist.Selection, r quarantine.Record) string {
	was, f := now.Effective(), fileOf(then, r.File)
	switch {
	case f == nil:
		return ""
	case then.Err != nil && f.Verdict == conflist.Invalid:
		return fmt.Sprintf("%s would load nothing because of it, and no pod could start: it %s", n.runtime.Kind, strings.ReplaceAll(f.Reason, then.Dir, n.dir))
	case was == nil, (guarded(f) || f.Name == n.installed) && !guarded(was):
		return ""
	case f.Verdict == conflist.Selected:
		return fmt.Sprintf("%s would select it (%s) instead of %s (%s)", n.runtime.Kind, networkAndPlugins(f), was.Name, networkAndPlugins(was))
	case f.Verdict == conflist.Attached:
		return fmt.Sprintf("%s would attach pods to it (%s) beside %s (%s)", n.runtime.Kind, networkAndPlugins(f), was.Name, networkAndPlugins(was))
	}
	return ""
}

// selectWith gives what the runtime would make of the folder if a file were back:
// of a folder of links to the same files, drop-ins included.
func (n *confNode) selectWith(r quarantine.Record) (s conflist.Selection, err error) {
	dir, err := filepath.Abs(n.dir)
	if err != nil {
		return s, fmt.Errorf("look at %s: %w", n.dir, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return s, fmt.Errorf("look at %s: %w", n.dir, err)
	}
	view, err := os.MkdirTemp("", "guardctl-restore-")
	if err != nil {
		return s, fmt.Errorf("look at %s: %w", n.dir, err)
	}
	defer func() { _ = os.RemoveAll(view) }()
	for _, e := range entries {
		if e.IsDir() && filepath.Ext(e.Name()) != "" {
			continue // a link to a folder would look like a file; no network has such a name but by chance
		}
		as := e.Name()
		if as == r.Quarantined {
			as = r.File
		}
		if err := os.Symlink(filepath.Join(dir, e.Name()), filepath.Join(view, as)); err != nil && !errors.Is(err, fs.ErrExist) {
			return s, fmt.Errorf("look at %s: %w", n.dir, err)
		}
	}
	return conflist.Select(view, n.runtime)
}
