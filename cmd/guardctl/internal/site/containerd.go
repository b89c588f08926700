// SPDX-License-Identifier: Apache-2.0

package site

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/runtimeconf"
)

// section names the table of containerd's CRI plugin in a version of the
// configuration: docs/PLUGINS.md of containerd; 1 is what no version means.
func section(version int64) string {
	switch version {
	case 0, 1:
		return "cri"
	case 2:
		return "io.containerd.grpc.v1.cri"
	}
	return "io.containerd.cri.v1.runtime" // 3, containerd 2
}

// readContainerd reads what a config.toml, and what it imports, say of CNI. What is
// said later counts. The file is that of the command line, if that names one.
func (s *Site) readContainerd(root string, p product, process runtimeconf.Process) error {
	path := p.config
	if files := process.Flag("config", "c"); len(files) > 0 {
		named, err := process.Path(files[len(files)-1])
		if err != nil {
			return err
		}
		if named != path {
			s.How = append(s.How, fmt.Sprintf("its configuration is %s: the command line of %s", named, p.name))
		}
		path = named
	}
	docs, err := readImports(root, path, nil)
	if err != nil {
		return err
	}
	for _, d := range docs {
		version, _ := d.tree["version"].(int64)
		cri := table(d.tree, "plugins", section(version))
		if err := s.readCNI(d.path, table(cri, "cni")); err != nil {
			return fmt.Errorf("%s: %w", d.path, err)
		}
		s.noteClasses(d.path, table(cri, "containerd", "runtimes"))
	}
	return nil
}

// readCNI reads the table cni. bin_dirs is of containerd 2.1; the older bin_dir is
// put in front of it there.
func (s *Site) readCNI(path string, cni map[string]any) error {
	take := func(key string, to func(any) bool) error {
		value, ok := cni[key]
		if ok && !to(value) {
			return fmt.Errorf("cni.%s is %v, which is not of its type", key, value)
		}
		if text, isText := value.(string); ok && (!isText || usable(text)) {
			s.How = append(s.How, fmt.Sprintf("%s is %v: %s", key, value, path))
		}
		return nil
	}
	dir := func(to *string) func(any) bool {
		return func(v any) bool { text, ok := v.(string); return ok && (!usable(text) || set(to, text)) }
	}
	bin, bins := "", []string(nil)
	for _, field := range []struct {
		key string
		to  func(any) bool
	}{
		{"conf_dir", dir(&s.ConfDir)},
		{"bin_dir", dir(&bin)},
		{"bin_dirs", func(v any) (ok bool) { bins, ok = texts(v); return ok }},
		{"max_conf_num", func(v any) bool {
			n, ok := v.(int64)
			s.Runtime.MaxConfNum = int(n)
			return ok
		}},
		{"use_internal_loopback", func(v any) (ok bool) { s.InternalLoopback, ok = v.(bool); return ok }},
	} {
		if err := take(field.key, field.to); err != nil {
			return err
		}
	}
	if bin != "" {
		bins = append([]string{bin}, bins...)
	}
	if len(bins) > 0 {
		s.Runtime.BinDirs = slices.Compact(bins)
	}
	return nil
}

// noteClasses tells of runtime classes that select in folders of their own.
func (s *Site) noteClasses(path string, runtimes map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(runtimes)) {
		if dir, ok := table(runtimes, name)["cni_conf_dir"].(string); ok && dir != "" {
			s.ClassDirs = append(s.ClassDirs, dir)
			s.How = append(s.How, fmt.Sprintf("runtime class %s has a conf dir of its own, %s, which is not looked at: %s; say --conf-dir for it", name, dir, path))
		}
	}
}

// usable tells a folder from nothing, and from a variable that microk8s fills in.
func usable(dir string) bool { return strings.HasPrefix(dir, "/") }

func set(to *string, value string) bool { *to = value; return true }

// criDisabled reports whether containerd runs without its CRI service, as
// docker's does.
func (p product) criDisabled(root string) bool {
	docs, err := readImports(root, p.config, nil)
	if p.name != "containerd" || err != nil {
		return false
	}
	for _, d := range docs {
		disabled, _ := texts(d.tree["disabled_plugins"])
		for _, name := range disabled {
			if slices.Contains([]string{"cri", "io.containerd.grpc.v1.cri", "io.containerd.cri.v1.runtime"}, name) {
				return true
			}
		}
	}
	return false
}
