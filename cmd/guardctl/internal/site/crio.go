// SPDX-License-Identifier: Apache-2.0

package site

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// readCRIO reads crio.conf and then the files of crio.conf.d by their names, of
// which the later one counts: crio.conf.d(5).
func (s *Site) readCRIO(root, path, dropIns string) error {
	paths := []string{path}
	entries, err := os.ReadDir(filepath.Join(root, dropIns))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if !e.IsDir() {
			paths = append(paths, filepath.Join(dropIns, e.Name()))
		}
	}
	for _, p := range paths {
		d, err := readTOML(root, p)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := s.readNetwork(p, table(d.tree, "crio", "network")); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
	}
	return nil
}

// readNetwork reads the table crio.network: crio.conf(5). plugin_dir is of
// releases before 1.17.
func (s *Site) readNetwork(path string, network map[string]any) error {
	for _, key := range []string{"network_dir", "plugin_dir", "plugin_dirs", "cni_default_network"} {
		value, ok := network[key]
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
			s.Runtime.BinDirs = []string{text}
		case key == "cni_default_network":
			s.Runtime.DefaultNetwork = text
		}
		s.How = append(s.How, fmt.Sprintf("%s is %v: %s", key, value, path))
	}
	return nil
}
