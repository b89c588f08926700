// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// mayRemove tells early what would stop the removal of the programs at the end.
func (r Request) mayRemove() error {
	if !isFolder(r.Site.BinDir) {
		return nil
	}
	for _, name := range []string{plugin, Marker} {
		if err := mayReplace(filepath.Join(r.Site.BinDir, name)); err != nil {
			return err
		}
	}
	return nil
}

// planRemoval plans what becomes of the programs. The marker is made when no list
// names the plugin any more, and the time of grace begins with it.
func (p *Plan) planRemoval(r Request, edits bool) {
	program, marker := filepath.Join(r.Site.BinDir, plugin), r.marker()
	if exists(program) && (edits || !exists(marker)) {
		p.step(func() error { return mark(marker) }, "let %s pass everything through", program)
	}
	switch waits := r.waits(marker); {
	case !exists(program) || !edits && exists(marker) && waits == "":
		p.planGone(r)
	case edits || !exists(marker):
		p.note("%s stays until nothing uses it, and lets everything through: run guardctl uninstall again in %s; it then removes the programs", program, r.Grace)
	default:
		p.note("%s stays, and lets everything through: %s. Run guardctl uninstall again later", program, waits)
	}
}

const markerText = "cni-guard lets everything through while this file is here: guardctl uninstall was run.\n" +
	"The time of this file is that of the plugin's last call.\n"

func (r Request) marker() string { return filepath.Join(r.Site.BinDir, Marker) }

func mark(marker string) error {
	return writeFile(marker, []byte(markerText), attributes{mode: 0o644, uid: os.Geteuid(), gid: os.Getegid()})
}

// waits says why the plugin must stay; "" where it need not.
func (r Request) waits(marker string) string {
	if users := r.users(); len(users) > 0 {
		return "it is still named by " + few(users)
	}
	info, err := os.Stat(marker)
	if err != nil {
		return ""
	}
	if since := time.Since(info.ModTime()); since < r.Grace {
		return fmt.Sprintf("it was named or called %s ago, and stays for %s", since.Round(time.Second), r.Grace)
	}
	return ""
}

// sweep plans to remove what commands that were killed left beside their files.
func (p *Plan) sweep(r Request) {
	for _, dir := range []string{r.Site.ConfDir, r.Site.BinDir, r.RecordDir} {
		for _, path := range filesOf(dir) {
			if strings.HasSuffix(path, suffix) {
				p.step(func() error { return remove(path) }, "remove %s, which was never finished", path)
			}
		}
	}
}

// planGone plans to remove the programs, the plugin first and ourselves last,
// so that what is killed in between can be run again.
func (p *Plan) planGone(r Request) {
	gone := []string{
		filepath.Join(r.Site.BinDir, plugin), filepath.Join(r.Site.BinDir, Marker),
		filepath.Join(r.Site.BinDir, ownLo), recordPath(r.RecordDir), filepath.Join(r.Site.BinDir, guardctl),
	}
	for _, path := range gone {
		if exists(path) {
			p.step(func() error { return r.removeUnused(path) }, "remove %s", path)
		}
	}
}

// removeUnused looks once more, right before.
func (r Request) removeUnused(path string) error {
	if filepath.Base(path) == plugin {
		if users := r.users(); len(users) > 0 {
			return fmt.Errorf("remove %s: it is named again by %s", path, few(users))
		}
	}
	return remove(path)
}
