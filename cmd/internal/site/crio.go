// SPDX-License-Identifier: Apache-2.0

package site

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/runtimeconf"
)

// readCRIO reads the files of CRI-O, and then what its command line or environment
// overrides.
func (s *Site) readCRIO(root string, process runtimeconf.Process) error {
	crio := runtimeconf.CRIO{Process: process, Root: root}
	if process.EnvErr != nil {
		s.How = append(s.How, fmt.Sprintf("what the environment of CRI-O sets (CONTAINER_*) is not considered: %v", process.EnvErr))
		crio.EnvErr = nil
	}
	files, err := crio.Files()
	if err != nil {
		return err
	}
	older := []string(nil) // plugin_dir of CRI-O before 1.17, which newer ones add
	for _, path := range files {
		d, err := readTOML(root, path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := s.readNetwork(path, tableFold(d.tree, "crio", "network"), &older); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	if err := s.overrideCRIO(crio); err != nil {
		return err
	}
	s.Runtime.BinDirs = append(s.Runtime.BinDirs, older...)
	return nil
}

// overrideCRIO takes what flags and variables of the environment say. Of an empty
// directory CRI-O makes nothing that it could run with; such a value is left out.
func (s *Site) overrideCRIO(crio runtimeconf.CRIO) error {
	for _, option := range []struct {
		flag string
		to   func(values []string)
	}{
		{"cni-config-dir", func(v []string) { s.ConfDir = v[len(v)-1] }},
		{"cni-plugin-dir", func(v []string) { s.Runtime.BinDirs = splitCommas(v) }},
		{"cni-default-network", func(v []string) { s.Runtime.DefaultNetwork = v[len(v)-1] }},
	} {
		values, source, err := crio.Override(option.flag)
		if err != nil {
			return err
		}
		text := strings.Join(values, ",")
		if source == "" || text == "" && option.flag != "cni-default-network" {
			continue
		}
		option.to(values)
		s.How = append(s.How, fmt.Sprintf("%s is %q: %s", option.flag, text, source))
	}
	return nil
}

// readCRIDockerd takes what the command line of cri-dockerd says, which has no
// file.
func (s *Site) readCRIDockerd(process runtimeconf.Process) error {
	for _, option := range []struct {
		flag string
		to   func(value string)
	}{
		{"cni-conf-dir", func(v string) { s.ConfDir = v }},
		{"cni-bin-dir", func(v string) { s.Runtime.BinDirs = splitCommas([]string{v}) }},
		{"cni-cache-dir", func(v string) { s.CacheDir = v }},
	} {
		values := process.Flag(option.flag)
		if len(values) == 0 || values[len(values)-1] == "" {
			continue
		}
		value := values[len(values)-1]
		option.to(value)
		s.How = append(s.How, fmt.Sprintf("%s is %s: the command line of cri-dockerd", option.flag, value))
	}
	if values := process.Flag("network-plugin"); len(values) > 0 && values[len(values)-1] != "cni" {
		return fmt.Errorf("cri-dockerd runs with --network-plugin=%s: it takes no network from a config directory", values[len(values)-1])
	}
	return nil
}

// splitCommas returns the directories of a flag that may be repeated, and may name
// several at once.
func splitCommas(values []string) (dirs []string) {
	for _, value := range values {
		for dir := range strings.SplitSeq(value, ",") {
			if dir = strings.TrimSpace(dir); dir != "" {
				dirs = append(dirs, dir)
			}
		}
	}
	return dirs
}

// readNetwork reads the table crio.network: crio.conf(5). plugin_dir is of
// releases before 1.17; those since then append it to plugin_dirs.
func (s *Site) readNetwork(path string, network map[string]any, older *[]string) error {
	for _, key := range []string{"network_dir", "plugin_dir", "plugin_dirs", "cni_default_network"} {
		value, ok := valueFold(network, key)
		if !ok {
			continue
		}
		text, isText := value.(string)
		dirs, isList := texts(value)
		switch {
		case key == "plugin_dirs" && isList:
			if len(dirs) > 0 {
				s.Runtime.BinDirs = dirs
			}
		case key == "plugin_dirs" || !isText:
			return fmt.Errorf("crio.network.%s is %v, which is not of its type", key, value)
		case key == "network_dir" && text != "":
			s.ConfDir = text
		case key == "plugin_dir" && text != "":
			*older = []string{text}
		case key == "cni_default_network":
			s.Runtime.DefaultNetwork = text
		}
		s.How = append(s.How, fmt.Sprintf("%s is %v: %s", key, value, path))
	}
	return nil
}

// ConfDirs returns where else on the node configurations may lie: the usual directories,
// those of runtime classes, and what lies beside the upstream one, where operators
// put such directories. Not all of them need be there, or be config directories.
func (s Site) ConfDirs(root string) []string {
	var dirs []string
	for _, dir := range conflist.ConfDirs() {
		dirs = append(dirs, filepath.Join(root, dir))
	}
	found, _ := filepath.Glob(filepath.Join(root, "/etc/cni/*")) // the pattern is a good one
	for _, dir := range found {
		if isDir(dir) {
			dirs = append(dirs, dir)
		}
	}
	return append(dirs, s.ClassDirs...)
}
