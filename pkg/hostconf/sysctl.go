// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
)

// A Setting is an assignment of a sysctl in a configuration file.
type Setting struct {
	Key string // elements separated by slashes, as netstate.View.Sysctl takes it; may have wildcards
	Value
	// Order is the place in the order in which settings are applied: a larger one is
	// applied later.
	Order int
}

// Sysctls are the settings that one of the programs would apply, in its order.
type Sysctls struct{ settings []sysctlLine }

type sysctlLine struct {
	Setting
	exclude bool // "-KEY": patterns leave the key alone
}

// BootSysctls returns what systemd-sysctl applies at boot, and udev to each interface
// that appears. It does not read /etc/sysctl.conf, unless a link in
// /etc/sysctl.d leads there, as Debian 12 has it.
func (r Root) BootSysctls() (Sysctls, error) {
	files, err := r.fragments(".conf", vendorDirs("sysctl.d")...)
	return parseSysctls(files, false), err
}

// SystemSysctls returns what `sysctl --system` of procps applies: the same
// directories, hidden files among them, and /etc/sysctl.conf after them, which is all
// that `sysctl -p` applies.
func (r Root) SystemSysctls() (Sysctls, error) {
	files, err := r.fragmentsWhere(func(name string) bool { return strings.HasSuffix(name, ".conf") }, vendorDirs("sysctl.d"))
	if err != nil {
		return Sysctls{}, err
	}
	main, err := r.firstOf("/etc/sysctl.conf")
	return parseSysctls(append(files, main...), true), err
}

// parseSysctls reads lines KEY = VALUE (sysctl.d(5)). Others are ignored, as both
// programs do.
func parseSysctls(files []file, procps bool) Sysctls {
	var s Sysctls
	for _, f := range files {
		number := 0
		for line := range strings.Lines(string(f.data)) {
			number++
			line = strings.TrimSpace(line)
			if line == "" || strings.ContainsRune("#;", rune(line[0])) {
				continue
			}
			key, value, assigns := strings.Cut(line, "=")
			key, dash := strings.CutPrefix(strings.TrimSpace(key), "-")
			if !procps {
				key = strings.TrimSpace(key) // procps looks for a sysctl whose name begins with a space
			}
			if key == "" || !assigns && !dash {
				continue
			}
			next := sysctlLine{
				Setting: Setting{sysctlKey(key), Value{strings.TrimSpace(value), f.path, number}, len(s.settings)},
				exclude: !assigns,
			}
			if !procps && s.repeats(next) {
				continue
			}
			s.settings = append(s.settings, next)
		}
	}
	return s
}

// repeats reports whether a line assigns what the last one of its key did.
// systemd-sysctl then leaves it where the first of them stands, so that a pattern between
// the two beats it (parse_file in src/sysctl/sysctl.c).
func (s Sysctls) repeats(next sysctlLine) bool {
	for _, line := range slices.Backward(s.settings) {
		if line.Key == next.Key {
			return line.Text == next.Text && line.exclude == next.exclude
		}
	}
	return false
}

// sysctlKey returns a key with slashes. If its first separator is a dot, dots
// separate elements, and a slash stands for the dot of an interface's name.
func sysctlKey(key string) string {
	at := strings.IndexAny(key, "./")
	if at < 0 || key[at] == '/' {
		return strings.Trim(key, "/")
	}
	return strings.Map(func(r rune) rune {
		switch r {
		case '.':
			return '/'
		case '/':
			return '.'
		}
		return r
	}, key)
}

// Of returns the setting that holds for a key such as
// "net/ipv4/conf/flannel.1/forwarding" after all are applied; false where there is
// none. A setting of the very key beats patterns, wherever it stands, and so does an
// exclusion.
func (s Sysctls) Of(key string) (Setting, bool) {
	var found Setting
	var ok, exact bool
	for _, line := range s.settings {
		switch {
		case line.Key == key:
			exact, ok, found = true, !line.exclude, line.Setting
		case !exact && !line.exclude && isGlob(line.Key) && matches(line.Key, key):
			ok, found = true, line.Setting
		}
	}
	return found, ok
}

// Files returns the files with settings, in the order in which they are read.
func (s Sysctls) Files() []string {
	var files []string
	for _, line := range s.settings {
		if !slices.Contains(files, line.File) {
			files = append(files, line.File)
		}
	}
	return files
}

// ModulesAtBoot returns the kernel modules that systemd-modules-load loads before
// sysctls are applied, each with the place that names it.
func (r Root) ModulesAtBoot() (map[string]Value, error) {
	files, err := r.fragments(".conf", vendorDirs("modules-load.d")...)
	if err != nil {
		return nil, err
	}
	modules := map[string]Value{}
	for _, f := range files {
		number := 0
		for line := range strings.Lines(string(f.data)) {
			number++
			if line = strings.TrimSpace(line); line != "" && !strings.ContainsRune("#;", rune(line[0])) {
				name := strings.ReplaceAll(line, "-", "_") // modprobe takes either
				modules[name] = Value{name, f.path, number}
			}
		}
	}
	cmdline, err := r.ReadFile("/proc/cmdline")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, word := range strings.Fields(string(cmdline)) {
		if list, ok := strings.CutPrefix(word, "modules_load="); ok {
			for _, name := range strings.Split(list, ",") {
				modules[strings.ReplaceAll(name, "-", "_")] = Value{name, "/proc/cmdline", 1}
			}
		}
	}
	return modules, nil
}

// BuiltIn reports whether a module is part of the kernel that runs, or modules are not
// used at all, so that it need not be loaded.
func (r Root) BuiltIn(module string) (bool, error) {
	release, err := r.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return false, err
	}
	dir := "/lib/modules/" + strings.TrimSpace(string(release))
	if !r.exists(dir) {
		return true, nil
	}
	builtin, err := r.ReadFile(dir + "/modules.builtin")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	return strings.Contains(string(builtin), "/"+module+".ko\n"), nil
}
