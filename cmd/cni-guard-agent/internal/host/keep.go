// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/google/renameio/v2"

	"github.com/cni-guard/cni-guard/cmd/internal/installer"
	"github.com/cni-guard/cni-guard/pkg/agent"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
	"github.com/cni-guard/cni-guard/pkg/conflist/lock"
	"github.com/cni-guard/cni-guard/pkg/conflist/quarantine"
)

// A goodFile is the intended file as it was when the runtime selected it with the guard.
type goodFile struct {
	name    string
	content []byte
	mode    os.FileMode
	uid     int
	gid     int
}

// Keep implements agent.Node. It does nothing on a node where the guard is not installed:
// without the record of an installation it is not known what is intended.
func (h *Host) Keep(_ context.Context, act bool) ([]agent.ConfAction, error) {
	h.keeping.Lock()
	defer h.keeping.Unlock()
	v := h.refresh()
	if v.found != nil || v.node.Record == nil || v.node.Record.Intent(v.node.Site.ConfDir) == nil {
		return nil, nil
	}
	a, err := v.node.Assess()
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if err != nil || v.node.Intent(a.Selection).Uninstalled {
		return nil, nil // a missing directory is the runtime's to create
	}
	h.remember(v, a)
	actions := h.plan(v, a)
	defer func() { // after they are done: what is wrong does not wait for a name
		for i := range actions {
			actions[i].Culprit = h.writerOf(a, filepath.Base(actions[i].File))
		}
	}()
	if !act {
		return actions, nil
	}
	for i := range actions {
		actions[i].Result = "done"
		if err := h.do(v, a, actions[i]); err != nil {
			if errors.Is(err, lock.ErrHeld) {
				return nil, err // another guardctl is at work, which knows what it wants
			}
			actions[i].Result, actions[i].Error = "failed", err.Error()
		}
	}
	return actions, nil
}

// plan returns what is to be done.
func (h *Host) plan(v *view, a assess.Assessment) []agent.ConfAction {
	var actions []agent.ConfAction
	rogues := a.QuarantinePlan()
	if len(rogues) > 0 && a.CheckQuarantine(rogues...) != nil {
		rogues = nil
	}
	for _, p := range a.Problems {
		action := agent.ConfAction{File: a.Selection.Path(p.File), Why: p.What}
		switch {
		case p.Unknown, p.Minor && p.Kind != assess.OwnCopyDiffers:
			continue
		case slices.Contains(rogues, p.File):
			action.Action = "quarantine"
		case strings.HasPrefix(p.Command, "guardctl install") && (p.Kind == assess.GuardMissing || p.Kind == assess.OwnCopyDiffers || p.Kind == assess.SourceInUse || p.Kind == assess.IntendedRefused || p.Kind == assess.NothingLoaded):
			action.Action = "reinsert"
		default:
			continue
		}
		same := func(other agent.ConfAction) bool {
			return other.Action == action.Action && (other.File == action.File || action.Action == "reinsert")
		}
		if !slices.ContainsFunc(actions, same) {
			actions = append(actions, action)
		}
	}
	if len(actions) == 0 {
		if file, ok := h.deleted(v, a); ok {
			actions = append(actions, agent.ConfAction{
				Action: "restore", File: a.Selection.Path(file.name),
				Why: "was deleted, its plugins are still there, and no other network takes its place",
			})
		}
	}
	return actions
}

func (h *Host) do(v *view, a assess.Assessment, action agent.ConfAction) error {
	name := filepath.Base(action.File)
	switch action.Action {
	case "quarantine":
		_, err := quarantine.Put(v.node.Site.ConfDir, name, quarantine.Note{When: time.Now(), Why: "cni-guard-agent, keep enforce: " + action.Why, UID: os.Getuid()})
		return err
	case "reinsert":
		return h.reinsert(v)
	}
	return h.restore(v)
}

// reinsert puts the guard back as guardctl install does, which takes over the file as the
// network plugin has written it, or makes the guard's own copy of it again.
func (h *Host) reinsert(v *view) error {
	unlock, err := installer.Lock(v.node.RecordDir, v.node.Site.ConfDir)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := installer.ReadRecord(v.node.RecordDir); err != nil {
		return err // uninstalled in the meantime
	}
	s := v.node.Site
	s.BinDir = v.node.Record.Site.BinDir
	_, _, err = installer.Do(installer.Request{
		Site: s, RecordDir: v.node.RecordDir, ConfOnly: true, Supports: s.Runtime.Supports, Elsewhere: s.ConfDirs("/"), LastEntry: h.lastEntry(v),
	}, installer.Install, func(installer.Step) {})
	return err
}

// lastEntry returns the guard's entry in the file on record as it was last seen, which may be
// newer than the record: operators edit it. Nil if it was not seen since the agent started.
func (h *Host) lastEntry(v *view) json.RawMessage {
	if h.good.name != filepath.Base(v.node.Record.Edit.Path) {
		return nil
	}
	l, err := conflist.Parse(h.good.name, h.good.content)
	if err != nil {
		return nil
	}
	return l.GuardEntry()
}

// remember keeps the intended file while all is well with it. What it was is also in the
// record of the installation, as it was then.
func (h *Host) remember(v *view, a assess.Assessment) {
	e := a.Selection.Effective()
	if e == nil || e.Name != a.Intended || !slices.Contains(e.Plugins, conflist.GuardType) {
		return
	}
	path := a.Selection.Path(e.Name)
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() {
		return
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return
	}
	if l, err := conflist.Parse(e.Name, content); err != nil || !l.Guarded() {
		return // rewritten since it was judged
	}
	h.good = goodFile{name: e.Name, content: content, mode: info.Mode().Perm()}
	h.good.uid, h.good.gid = owner(info)
}

// deleted returns the file on record if it was deleted by mistake: nothing takes its place,
// or only a sample, and its plugins are all there, which an uninstallation would have
// removed.
func (h *Host) deleted(v *view, a assess.Assessment) (goodFile, bool) {
	record := v.node.Record
	name := filepath.Base(record.Edit.Path)
	e := a.Selection.Effective()
	if a.Selection.Find(name) != nil || e != nil && !assess.IsSample(*e) || quarantined(v.node.Site.ConfDir, name) {
		return goodFile{}, false
	}
	file := h.good
	if file.name != name {
		if record.Snapshot.Effective != name || len(record.Snapshot.Content) == 0 {
			return goodFile{}, false
		}
		file = goodFile{name, record.Snapshot.Content, record.Edit.Mode, record.Edit.UID, record.Edit.GID}
	}
	l, err := conflist.Parse(file.name, file.content)
	if err != nil || !l.Guarded() {
		return goodFile{}, false
	}
	for _, p := range l.Types() {
		there := func(dir string) bool {
			info, err := os.Stat(filepath.Join(dir, p))
			return err == nil && info.Mode().IsRegular()
		}
		if !slices.ContainsFunc(v.node.Site.Runtime.BinDirs, there) {
			return goodFile{}, false
		}
	}
	return file, true
}

// quarantined reports whether the operator put a file in quarantine.
func quarantined(dir, name string) bool {
	records, err := quarantine.List(dir)
	return err != nil || slices.ContainsFunc(records, func(r quarantine.Record) bool { return r.File == name })
}

// restore writes the file on record again, if it is still missing.
func (h *Host) restore(v *view) error {
	unlock, err := installer.Lock(v.node.RecordDir, v.node.Site.ConfDir)
	if err != nil {
		return err
	}
	defer unlock()
	a, err := v.node.Assess()
	if err != nil {
		return err
	}
	file, ok := h.deleted(v, a)
	if !ok {
		return errors.New("restore the file on record: the directory has changed in the meantime")
	}
	path := filepath.Join(v.node.Site.ConfDir, file.name)
	t, err := renameio.NewPendingFile(path, renameio.WithTempDir(v.node.Site.ConfDir), renameio.WithStaticPermissions(file.mode))
	if err != nil {
		return fmt.Errorf("restore %s: %w", path, err)
	}
	defer t.Cleanup()
	if _, err = t.Write(file.content); err == nil {
		err = t.Chown(file.uid, file.gid)
	}
	if err == nil {
		err = t.CloseAtomicallyReplace()
	}
	if err != nil {
		return fmt.Errorf("restore %s: %w", path, err)
	}
	return nil
}

// owner returns the owner of a file.
func owner(info os.FileInfo) (uid, gid int) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid), int(st.Gid)
	}
	return os.Getuid(), os.Getgid()
}
