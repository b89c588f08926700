// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// Grace is how long the plugin stays when no config references it any more. It is longer than the
// four minutes that kubelet allows a runtime to start a pod, so that pods that started with
// the old list are done. A runtime that did not notice the new list still calls the plugin,
// and every call restarts the time.
const Grace = 5 * time.Minute

// Uninstall plans to remove the guard from every list of the config directory, to restore
// the files that install renamed, and to let the plugin pass every call through. When
// nothing has named or called the plugin for the time of grace, it plans to remove it.
func Uninstall(r Request) (Plan, error) {
	var p Plan
	r.Placement = Inline
	if err := r.makeAbsolute(); err != nil {
		return p, err
	}
	record, err := r.recordOfSite()
	if err != nil {
		return p, err
	}
	changes, err := r.planWithdrawal(&p, record)
	if err != nil {
		return p, err
	}
	if err := r.checkNetworkKept(changes); err != nil {
		return p, err
	}
	if err := r.checkRemovable(); err != nil {
		return p, err
	}
	others := r.guardedElsewhere()
	if marker := r.marker(); len(changes) > 0 && exists(marker) && len(others) == 0 { // of an earlier uninstall, whose time must not count
		p.step(func() error { return writeMarker(marker) }, "renew %s", marker)
	}
	for _, c := range changes {
		p.Steps = append(p.Steps, c.steps...)
	}
	p.planSweep(r)
	if len(others) > 0 {
		p.note("the programs stay, and the guard stays active: another config directory names them: %s", listUsers(others))
		return p, nil
	}
	if err := p.planOldLoopback(r); err != nil {
		return p, err
	}
	p.planRemoval(r, len(changes) > 0)
	return p, nil
}

// checkNetworkKept checks that the runtime selects the same network afterwards, if it
// selects one now.
func (r Request) checkNetworkKept(changes []change) error {
	now, err := r.selectedTarget(nil)
	if err != nil || len(changes) == 0 {
		return nil // the node has no network now: nothing is lost
	}
	then, err := r.selectedTarget(changesOf(changes))
	if err != nil {
		return fmt.Errorf("remove the guard: the runtime would select nothing: %w; nothing was changed: put the network plugin's file back first", err)
	}
	if then.Network != now.Network {
		return fmt.Errorf("remove the guard: pods would get network %q, of %s, instead of %q; nothing was changed: run guardctl conf", then.Network, then.Name, now.Network)
	}
	return nil
}

// guardedLists returns the loadable lists with the guard, including lists that cannot be
// parsed but mention it, so that the edit reports them. A missing directory has none.
func (r Request) guardedLists() ([]string, error) {
	if !isDir(r.Site.ConfDir) {
		return nil, nil
	}
	all, err := conflist.Names(r.Site.ConfDir)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, name := range all {
		if path := filepath.Join(r.Site.ConfDir, name); filepath.Ext(name) == ".conflist" && hasGuardEntry(path) {
			found = append(found, path)
		}
	}
	return found, nil
}

// hasGuardEntry reports whether a list has the guard's entry.
func hasGuardEntry(path string) bool {
	doc, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	l, err := conflist.Parse("x.conflist", doc)
	if err != nil {
		return namesGuard(doc)
	}
	return l.Guarded()
}

// checkRemovable returns early what would prevent the removal of the programs at the end.
func (r Request) checkRemovable() error {
	if !isDir(r.Site.BinDir) {
		return nil
	}
	for _, name := range []string{plugin, Marker} {
		if err := checkReplaceable(filepath.Join(r.Site.BinDir, name)); err != nil {
			return err
		}
	}
	return nil
}

// planRemoval plans the removal of the programs. The marker is created when no list names
// the plugin any more, and the time of grace starts then.
func (p *Plan) planRemoval(r Request, edits bool) {
	program, marker := filepath.Join(r.Site.BinDir, plugin), r.marker()
	if exists(program) && (edits || !exists(marker)) {
		p.step(func() error { return writeMarker(marker) }, "let %s pass every call through", program)
	}
	switch waits := r.whyPluginStays(marker); {
	case !exists(program) || !edits && exists(marker) && waits == "":
		p.planProgramRemoval(r)
	case edits || !exists(marker):
		p.note("%s stays until nothing uses it, and passes every call through: run guardctl uninstall again in %s to remove the programs", program, r.Grace)
	default:
		p.note("%s stays, and passes every call through: %s. Run guardctl uninstall again later", program, waits)
	}
}

const markerText = "cni-guard passes every call through while this file exists: guardctl uninstall was run.\n" +
	"The time of this file is that of the plugin's last call.\n"

func (r Request) marker() string { return filepath.Join(r.Site.BinDir, Marker) }

func writeMarker(marker string) error {
	return writeFile(marker, []byte(markerText), attributes{mode: 0o644, uid: os.Geteuid(), gid: os.Getegid()})
}

// whyPluginStays returns why the plugin must stay; "" if it need not.
func (r Request) whyPluginStays(marker string) string {
	if users := r.users(); len(users) > 0 {
		return "it is still named by " + listUsers(users)
	}
	info, err := os.Stat(marker)
	if err != nil {
		return ""
	}
	if since := time.Since(info.ModTime()); since < r.Grace {
		return fmt.Sprintf("it was last named or called %s ago, and stays for %s", since.Round(time.Second), r.Grace)
	}
	return ""
}

// planSweep plans to remove the temporary files of commands that were killed.
func (p *Plan) planSweep(r Request) {
	for _, dir := range []string{r.Site.ConfDir, r.Site.BinDir, r.RecordDir} {
		for _, path := range filesOf(dir) {
			if strings.HasSuffix(path, newSuffix) {
				p.step(func() error { return remove(path) }, "remove %s, a temporary file of a command that was killed", path)
			}
		}
	}
}

// planProgramRemoval plans to remove the programs, the plugin first and guardctl last, so
// that an interrupted command can be run again.
func (p *Plan) planProgramRemoval(r Request) {
	gone := []string{
		filepath.Join(r.Site.BinDir, plugin), filepath.Join(r.Site.BinDir, Marker),
		filepath.Join(r.Site.BinDir, ownLoopbackName), recordPath(r.RecordDir), filepath.Join(r.Site.BinDir, guardctl),
	}
	for _, path := range gone {
		if exists(path) {
			p.step(func() error { return r.removeUnused(path) }, "remove %s", path)
		}
	}
}

// removeUnused removes a file after a last check that nothing uses the plugin.
func (r Request) removeUnused(path string) error {
	if filepath.Base(path) == plugin {
		if users := r.users(); len(users) > 0 {
			return fmt.Errorf("remove %s: it is named again by %s", path, listUsers(users))
		}
	}
	return remove(path)
}
