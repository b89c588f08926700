// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/pkg/conflist/quarantine"
	"github.com/cni-guard/cni-guard/pkg/printable"
	"github.com/cni-guard/cni-guard/pkg/release"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// A user is a file by which the plugin may still be called.
type user struct {
	path string
	// ends says what makes an end of that, with the command.
	ends string
}

// String returns the file and what to do about it, as a clause.
func (u user) String() string { return printable.String(u.path) + " (" + u.ends + ")" }

// few names the first of many.
func few(users []user) string {
	const some = 5
	var names []string
	for _, u := range users[:min(some, len(users))] {
		names = append(names, u.String())
	}
	text := strings.Join(names, "; ")
	if len(users) > some {
		text += fmt.Sprintf("; and %d more", len(users)-some)
	}
	return text
}

// users returns what names the guard: the files of all conf dirs, those included that
// are quarantined or put aside, and would be back with one command; and the attachments
// that runtimes cached, by which CRI-O and podman remove pods.
func (r Request) users() (found []user) {
	for _, path := range namedIn(r.Site.ConfDir, comesBack) {
		found = append(found, user{path, r.endsHere(path)})
	}
	for _, dir := range r.elsewhere() {
		for _, path := range namedIn(dir, comesBack) {
			found = append(found, user{path, r.endsElsewhere(dir, path)})
		}
	}
	for _, path := range r.cachedFiles() {
		if u, ok := r.attachment(path); ok {
			found = append(found, u)
		}
	}
	return found
}

func (r Request) endsHere(path string) string {
	name := filepath.Base(path)
	_, _, away := strings.Cut(name, quarantine.Suffix)
	switch {
	case away:
		return fmt.Sprintf("it is in quarantine: rm %s; or guardctl conf restore --conf-dir %s %s, and run this again", printable.Word(path), printable.Word(r.named.ConfDir), printable.Word(name))
	case strings.HasSuffix(path, aside):
		return "it was put aside by install: rm " + printable.Word(path)
	case filepath.Dir(path) != r.Site.ConfDir:
		return "it adds the guard to the list of another file: rm " + printable.Word(path)
	case isMultus(path):
		return "Multus has a copy of the list in its own: restart its pod on this node, which writes the file again"
	}
	return "take the entry out by hand, or rm " + printable.Word(path)
}

func (r Request) endsElsewhere(dir, path string) string {
	if !conflist.Loadable(path) {
		return "it is out of use: rm " + printable.Word(path)
	}
	return r.uninstallOf(dir)
}

// uninstallOf returns the command that takes the guard out of another conf dir.
func (r Request) uninstallOf(dir string) string {
	return fmt.Sprintf("guardctl uninstall --runtime %s --conf-dir %s --bin-dir %s", r.Site.Runtime.Kind, printable.Word(dir), printable.Word(strings.Join(r.Site.Runtime.BinDirs, ":")))
}

// elsewhere returns the other conf dirs of the node, as their links lead.
func (r Request) elsewhere() (dirs []string) {
	for _, dir := range r.Elsewhere {
		if real := resolved(dir); real != r.Site.ConfDir && !slices.Contains(dirs, real) {
			dirs = append(dirs, real)
		}
	}
	return dirs
}

// guardedElsewhere returns the files of other conf dirs that have the guard now.
func (r Request) guardedElsewhere() (found []user) {
	for _, dir := range r.elsewhere() {
		for _, path := range namedIn(dir, conflist.Loadable) {
			found = append(found, user{path, r.endsElsewhere(dir, path)})
		}
	}
	return found
}

// multusDir is where Multus keeps the delegates of pods, by which it removes them
// ("cniDir" of its configuration).
const multusDir = "/var/lib/cni/multus"

// cachedFiles returns what runtimes and Multus keep of attachments.
func (r Request) cachedFiles() (paths []string) {
	dirs := release.CacheDirs()
	if !slices.Contains(dirs, r.Site.CacheDir) {
		dirs = append(dirs, r.Site.CacheDir)
	}
	for _, dir := range append(dirs, multusDir) {
		paths = append(paths, filesOf(filepath.Join(dir, "results"))...)
	}
	return append(paths, filesOf(multusDir)...)
}

// attachment returns a cached attachment that was made with the guard. With Force one
// whose sandbox is gone does not count.
func (r Request) attachment(path string) (user, bool) {
	content, err := os.ReadFile(path)
	if err != nil {
		return user{}, false
	}
	var entry struct {
		Config      []byte `json:"config"`
		ContainerID string `json:"containerId"`
		IfName      string `json:"ifName"`
		Network     string `json:"networkName"`
		Netns       string `json:"netns"`
	}
	if filepath.Dir(path) == multusDir { // delegates, and no more
		return user{path, "it is of a pod that Multus attached: it goes when that pod ends; if the pod is gone, rm " + printable.Word(path)}, namesGuard(content)
	}
	if json.Unmarshal(content, &entry) != nil || !namesGuard(entry.Config) {
		return user{}, false
	}
	rm := "rm " + printable.Word(path)
	free := fmt.Sprintf("guardctl release --container-id %s --network %s --ifname %s", printable.Word(entry.ContainerID), printable.Word(entry.Network), printable.Word(entry.IfName))
	switch there, known := r.sandbox(entry.Netns); {
	case known && there:
		return user{path, fmt.Sprintf("its sandbox %s is there: it goes when the pod ends", printable.String(entry.Netns))}, true
	case known && r.Force:
		return user{}, false
	case known:
		return user{path, fmt.Sprintf("its sandbox %s is gone: %s gives its address back, then %s; or guardctl uninstall --force, after which a runtime that still knows the sandbox cannot remove it", printable.String(entry.Netns), free, rm)}, true
	}
	return user{path, fmt.Sprintf("it does not say where its sandbox is: if crictl pods does not list %s, %s gives its address back, then %s", printable.String(entry.ContainerID), free, rm)}, true
}

// sandbox reports whether a namespace is there, where that can be told. A pin that is
// an ordinary file lost its mount; seen from a container, it may be one that was
// mounted after the container was started.
func (r Request) sandbox(netns string) (there, known bool) {
	var stat unix.Statfs_t
	err := unix.Statfs(netns, &stat)
	switch {
	case netns == "":
		return false, false
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
		return false, true
	case err != nil:
		return false, false
	}
	return r.rooted || stat.Type == unix.NSFS_MAGIC || stat.Type == unix.PROC_SUPER_MAGIC, true
}
