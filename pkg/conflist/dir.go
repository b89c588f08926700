// SPDX-License-Identifier: Apache-2.0

package conflist

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/hostfs"
)

// ConfDirs returns the usual config directories: upstream's, k3s's, RKE2's and
// microk8s's.
func ConfDirs() []string {
	return []string{
		"/etc/cni/net.d",
		"/var/lib/rancher/k3s/agent/etc/cni/net.d",
		"/var/lib/rancher/rke2/agent/etc/cni/net.d",
		"/var/snap/microk8s/current/args/cni-network",
	}
}

// Names returns the names of the loadable files of a directory in the order of the
// loaders: bytewise, so that "100-b" comes before "20-a", and ".a" before both. It
// opens none of them. Unlike in libcni, a missing directory is an error.
func Names(dir string) ([]string, error) { return Runtime{}.Names(dir) }

// Names is as the function of that name, but reads the files of r.
func (r Runtime) Names(dir string) ([]string, error) {
	entries, err := r.readDir(dir)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		if loadable(e) {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

// Loadable reports whether runtimes load a file of this name: one that ends in .conf,
// .conflist or .json.
func Loadable(name string) bool { return slices.Contains(extensions(), filepath.Ext(name)) }

func extensions() []string { return []string{".conf", ".conflist", ".json"} }

// loadable is libcni's ConfFiles. A symbolic link is loadable wherever it leads,
// because the directory entry says only that it is a link.
func loadable(e fs.DirEntry) bool { return !e.IsDir() && Loadable(e.Name()) }

// isList reports whether a file of this name is parsed as a list of plugins. Other
// loadable files hold a single plugin.
func isList(name string) bool { return strings.HasSuffix(name, ".conflist") }

// readDir returns the entries of a directory, sorted by name.
func (r Runtime) readDir(dir string) ([]fs.DirEntry, error) {
	entries, err := hostfs.Or(r.Files).ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read config directory: %w", err)
	}
	return entries, nil
}

// notLoadable returns the entries that no runtime loads. The loadable files are
// needed to recognize directories of drop-ins.
func notLoadable(entries []fs.DirEntry, files []File) []File {
	var rest []File
	for _, e := range entries {
		if loadable(e) {
			continue
		}
		f := File{Name: e.Name(), Verdict: NotLoadable, Reason: whyNotLoadable(e, files)}
		if info, err := e.Info(); err == nil {
			f.ModTime = info.ModTime()
		}
		rest = append(rest, f)
	}
	return rest
}

func whyNotLoadable(e fs.DirEntry, files []File) string {
	if e.IsDir() {
		return whyDirectory(e.Name(), files)
	}
	ext := filepath.Ext(e.Name())
	switch lower := strings.ToLower(ext); {
	case ext == "", ext == ".":
		return "is not loaded: the name has no extension"
	case lower != ext && slices.Contains(extensions(), lower):
		return fmt.Sprintf("is not loaded: the name ends in %s, and extensions are case sensitive", ext)
	}
	return fmt.Sprintf("is not loaded: the name ends in %s, and runtimes load .conf, .conflist and .json", ext)
}

func whyDirectory(name string, files []File) string {
	for _, f := range files {
		for _, dropIn := range f.DropIns {
			if filepath.Dir(dropIn) == name {
				return fmt.Sprintf("is a directory of drop-ins, whose .conf files add plugins to %s", f.Name)
			}
		}
	}
	return "is not loaded: it is a directory"
}

// errNothingIn returns the error for a directory without loadable files. It names a
// directory that has the name of a config file, which is easily overlooked.
func errNothingIn(dir string, r Runtime) error {
	err := fmt.Errorf("%w: %s finds no .conf, .conflist or .json in %s", ErrNoNetwork, r.Kind.DisplayName(), dir)
	entries, readErr := r.readDir(dir)
	if readErr != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() && Loadable(e.Name()) {
			return fmt.Errorf("%w; %s is a directory, and must be a file", err, e.Name())
		}
	}
	return err
}
