// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"syscall"
)

// A file is one that a manager reads: of several of one name the one with
// precedence.
type file struct {
	path string
	data []byte
}

// vendorDirs returns the directories that systemd reads, those with precedence
// first (CONF_PATHS in systemd's def.h). On a machine with a merged /usr the last
// two are one.
func vendorDirs(below string) []string {
	return []string{"/etc/" + below, "/run/" + below, "/usr/local/lib/" + below, "/usr/lib/" + below, "/lib/" + below}
}

// fragments returns the files of directories whose names have the suffix, in the
// order of their names. A file hides those of its name in later directories; one
// that is empty, a link to /dev/null or a directory does only that.
func (r Root) fragments(suffix string, dirs ...string) ([]file, error) {
	return r.fragmentsWhere(func(name string) bool { return strings.HasSuffix(name, suffix) && name[0] != '.' }, dirs)
}

// fragmentsWhere returns the files whose names are wanted, as fragments does.
func (r Root) fragmentsWhere(wanted func(name string) bool, dirs []string) ([]file, error) {
	first := map[string]string{}
	for _, dir := range dirs {
		entries, err := r.entries(dir)
		if err != nil {
			return nil, err
		}
		for _, name := range names(entries) {
			if wanted(name) && first[name] == "" {
				first[name] = path.Join(dir, name)
			}
		}
	}
	var files []file
	for _, name := range slices.Sorted(maps.Keys(first)) {
		data, err := r.ReadFile(first[name])
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.EISDIR) {
			continue // such as a link to /dev/null below another root, which dangles
		}
		if err != nil {
			return nil, err
		}
		if len(data) > 0 {
			files = append(files, file{first[name], data})
		}
	}
	return files, nil
}

// firstOf returns the first of the files that exists; none where no one does.
func (r Root) firstOf(paths ...string) ([]file, error) {
	for _, p := range paths {
		data, err := r.ReadFile(p)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return []file{{p, data}}, nil
	}
	return nil, nil
}

// units returns what the files of one kind, such as "network", say, each with its
// drop-ins: /etc/systemd/network/NAME.network.d/*.conf and so on.
func (r Root) units(kind string) ([]settings, error) {
	dirs := vendorDirs("systemd/network")
	files, err := r.fragments("."+kind, dirs...)
	if err != nil {
		return nil, err
	}
	var units []settings
	for _, f := range files {
		var dropIns []string
		for _, dir := range dirs {
			dropIns = append(dropIns, path.Join(dir, path.Base(f.path)+".d"))
		}
		more, err := r.fragments(".conf", dropIns...)
		if err != nil {
			return nil, err
		}
		units = append(units, parseSettings(append([]file{f}, more...)))
	}
	return units, nil
}
