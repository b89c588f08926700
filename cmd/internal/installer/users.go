// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/quarantine"
	"github.com/cni-guard/cni-guard/pkg/printable"
	"github.com/cni-guard/cni-guard/pkg/release"
)

// A user is a file because of which the plugin may still be called.
type user struct {
	path string
	// remedy says how to change that, with the command.
	remedy string
}

// String returns the file and the remedy, as a clause.
func (u user) String() string { return printable.String(u.path) + " (" + u.remedy + ")" }

// listUsers returns the first few users in words.
func listUsers(users []user) string {
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

// users returns what names the guard: the files of all config directories, including those
// that one command would restore; and the attachments that runtimes cached, by which CRI-O
// and podman remove pods.
func (r Request) users() (found []user) {
	for _, path := range filesNamingGuard(r.Site.ConfDir, canReturn) {
		found = append(found, user{path, r.remedyHere(path)})
	}
	for _, dir := range r.otherConfDirs() {
		for _, path := range filesNamingGuard(dir, canReturn) {
			found = append(found, user{path, r.remedyElsewhere(dir, path)})
		}
	}
	for _, path := range r.cachedFiles() {
		if u, ok := r.attachment(path); ok {
			found = append(found, u)
		}
	}
	return found
}

func (r Request) remedyHere(path string) string {
	name := filepath.Base(path)
	_, _, away := strings.Cut(name, quarantine.Suffix)
	switch {
	case away:
		return fmt.Sprintf("it is in quarantine: rm %s; or guardctl conf restore --conf-dir %s %s, and run this again", printable.Word(path), printable.Word(r.siteAsNamed.ConfDir), printable.Word(name))
	case strings.HasSuffix(path, asideSuffix):
		return "install renamed it: rm " + printable.Word(path)
	case filepath.Dir(path) != r.Site.ConfDir:
		return "it adds the guard to the list of another file: rm " + printable.Word(path)
	case isMultus(path):
		return "Multus embedded a copy of the list: restart its pod on this node, which rewrites the file"
	}
	return "remove the entry by hand, or rm " + printable.Word(path)
}

func (r Request) remedyElsewhere(dir, path string) string {
	if !conflist.Loadable(path) {
		return "it is not in use: rm " + printable.Word(path)
	}
	return r.uninstallCommand(dir)
}

// uninstallCommand returns the command that removes the guard from another config directory.
func (r Request) uninstallCommand(dir string) string {
	return fmt.Sprintf("guardctl uninstall --runtime %s --conf-dir %s --bin-dir %s", r.Site.Runtime.Kind, printable.Word(dir), printable.Word(strings.Join(r.Site.Runtime.BinDirs, ":")))
}

// otherConfDirs returns the other config directories of the node, with links resolved.
func (r Request) otherConfDirs() (dirs []string) {
	for _, dir := range r.Elsewhere {
		if real := resolveLinks(dir); real != r.Site.ConfDir && !slices.Contains(dirs, real) {
			dirs = append(dirs, real)
		}
	}
	return dirs
}

// guardedElsewhere returns the files of other config directories that have the guard now.
func (r Request) guardedElsewhere() (found []user) {
	for _, dir := range r.otherConfDirs() {
		for _, path := range filesNamingGuard(dir, conflist.Loadable) {
			found = append(found, user{path, r.remedyElsewhere(dir, path)})
		}
	}
	return found
}

// multusDir is where Multus caches the delegates of pods for their removal ("cniDir" of its
// configuration).
const multusDir = "/var/lib/cni/multus"

// cachedFiles returns the files in which runtimes and Multus cache attachments.
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

// attachment returns a cached attachment with the guard. With Force, one whose sandbox is
// gone does not count.
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
	if filepath.Dir(path) == multusDir { // it has only delegates
		return user{path, "it belongs to a pod of Multus, and is removed when that pod ends; if the pod is gone, rm " + printable.Word(path)}, namesGuard(content)
	}
	if json.Unmarshal(content, &entry) != nil || !namesGuard(entry.Config) {
		return user{}, false
	}
	rm := "rm " + printable.Word(path)
	free := fmt.Sprintf("guardctl release --container-id %s --network %s --ifname %s", printable.Word(entry.ContainerID), printable.Word(entry.Network), printable.Word(entry.IfName))
	switch there, known := r.sandbox(entry.Netns); {
	case known && there:
		return user{path, fmt.Sprintf("its sandbox %s exists: it is removed when the pod ends", printable.String(entry.Netns))}, true
	case known && r.Force:
		return user{}, false
	case known:
		return user{path, fmt.Sprintf("its sandbox %s is gone: %s releases its address, then %s; or guardctl uninstall --force, after which a runtime that still knows the sandbox cannot remove it", printable.String(entry.Netns), free, rm)}, true
	}
	return user{path, fmt.Sprintf("it does not name its sandbox: if crictl pods does not list %s, %s releases its address, then %s", printable.String(entry.ContainerID), free, rm)}, true
}

// sandbox reports whether a namespace exists, and whether that is known. A pin that is an
// ordinary file has lost its mount; seen from a container, it may have been mounted after
// the container was started.
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

// namesGuard reports whether a document has a plugin of the guard's type, at any depth,
// because Multus embeds copies of other lists. It compares types as encoding/json parses
// them, with escapes resolved and keys in any case; of duplicate keys each value counts. In
// a document that cannot be parsed the bare name is enough: that only keeps the plugin.
func namesGuard(doc []byte) bool {
	if !gjson.ValidBytes(doc) {
		return bytes.Contains(bytes.ReplaceAll(doc, []byte{0}, nil), []byte(conflist.GuardType)) // UTF-16 has zero bytes
	}
	return valueNamesGuard(gjson.ParseBytes(doc))
}

func valueNamesGuard(v gjson.Result) (found bool) {
	if !v.IsObject() && !v.IsArray() {
		return false
	}
	v.ForEach(func(key, value gjson.Result) bool {
		found = strings.EqualFold(key.String(), "type") && value.String() == conflist.GuardType || valueNamesGuard(value)
		return !found
	})
	return found
}

// fileNamesGuard reports whether a file names the guard; see namesGuard.
func fileNamesGuard(path string) bool {
	content, err := os.ReadFile(path)
	return err == nil && namesGuard(content)
}

// isMultus reports whether a file is Multus's.
func isMultus(path string) bool {
	l, err := conflist.Read(filepath.Dir(path), filepath.Base(path))
	return err == nil && l.Multus()
}

// filesNamingGuard returns the files and drop-ins of a config directory that name the guard,
// among those whose name counts.
func filesNamingGuard(dir string, counts func(string) bool) (found []string) {
	dropIns, _ := filepath.Glob(filepath.Join(dir, "*", "*.conf"))
	for _, path := range append(filesOf(dir), dropIns...) {
		if counts(path) && fileNamesGuard(path) {
			found = append(found, path)
		}
	}
	return found
}

// canReturn reports whether a runtime loads a file of that name, or would after one command.
func canReturn(path string) bool {
	_, number, away := strings.Cut(filepath.Base(path), quarantine.Suffix)
	return conflist.Loadable(path) || strings.HasSuffix(path, asideSuffix) || away && !strings.Contains(number, ".")
}

// filesOf returns the regular files of a directory; none if it does not exist.
func filesOf(dir string) (paths []string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			paths = append(paths, path)
		}
	}
	return paths
}
