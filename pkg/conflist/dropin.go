// SPDX-License-Identifier: Apache-2.0

package conflist

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// addDropIns appends the plugins of <dir>/<network>/*.conf, as libcni does since
// v1.3.0 whatever the list's version (NetworkPluginConfsFromFiles). The name is
// part of a path there: "" and "." mean the folder itself, ".." the one above.
func (l *List) addDropIns(dir string) error {
	if !l.InlinedOnly {
		folder := filepath.Join(dir, l.Name)
		entries, err := os.ReadDir(folder)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("read drop-ins of network %q: %w", l.Name, err)
		}
		for _, e := range entries {
			if e.IsDir() || filepath.Ext(e.Name()) != ".conf" {
				continue
			}
			if err := l.addDropIn(folder, filepath.Join(l.Name, e.Name())); err != nil {
				return fmt.Errorf("read drop-in %s: %w", filepath.Join(folder, e.Name()), err)
			}
		}
	}
	if len(l.Plugins) == 0 {
		return errors.New("it has no plugins, and no drop-ins add some")
	}
	return nil
}

func (l *List) addDropIn(folder, from string) error {
	doc, _, err := readFile(filepath.Join(folder, filepath.Base(from)))
	if err != nil {
		return err
	}
	conf, err := rules{}.parsePlugin(doc)
	if err != nil {
		return err
	}
	l.Plugins = append(l.Plugins, Plugin{Type: conf.Type, Raw: doc, DropIn: from})
	return nil
}
