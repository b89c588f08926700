// SPDX-License-Identifier: Apache-2.0

package site

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/pelletier/go-toml/v2"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/cri"
	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// Running is what the runtime that runs says of itself.
type Running struct {
	// NetworkReady is false where the runtime starts no pod for want of a network;
	// Message says why, in its words.
	NetworkReady bool
	Message      string
	// Loaded is what containerd has in memory; nil for other runtimes.
	Loaded *cri.Loaded
	// Changed are the settings that its configuration gives otherwise than it runs
	// with: somebody edited it, and the runtime was not restarted since.
	Changed []Change
}

// A Change is a setting that the next start of the runtime changes.
type Change struct{ Setting, Running, Configured string }

// FindRunning is Find, and then asks the runtime, if it runs, what it works with:
// that counts, whatever its configuration says by now. What the operator says still
// beats both. A runtime that does not answer within two seconds is left out, with a
// sentence in How.
func FindRunning(ctx context.Context, root string, o Overrides) (Site, error) {
	return find(root, o, func(s *Site, root string) {
		if s.Socket == "" {
			return
		}
		if err := s.ask(ctx, filepath.Join(root, s.Socket)); err != nil {
			s.How = append(s.How, fmt.Sprintf("%s does not say what it works with: %v", s.Name, err))
		}
	})
}

// ask asks the runtime at a socket. Paths are still without the root.
func (s *Site) ask(ctx context.Context, socket string) error {
	status, err := cri.At(socket).Status(ctx)
	if err != nil {
		return err
	}
	s.Running = &Running{NetworkReady: status.NetworkReady, Message: status.Message}
	switch s.Runtime.Kind {
	case conflist.Containerd:
		loaded, err := status.Loaded()
		if err != nil {
			return err
		}
		s.Running.Loaded = &loaded
		s.takeDir("conf_dir", &s.ConfDir, loaded.ConfDir)
		s.takeDirs(loaded.BinDirs)
		if loaded.MaxConfNum != s.Runtime.MaxConfNum {
			s.changed("max_conf_num", fmt.Sprint(loaded.MaxConfNum), fmt.Sprint(s.Runtime.MaxConfNum))
			s.Runtime.MaxConfNum = loaded.MaxConfNum
		}
	case conflist.CRIO:
		text, err := cri.CRIOConfig(ctx, socket)
		if err != nil {
			return err
		}
		var tree map[string]any
		if err := toml.Unmarshal(text, &tree); err != nil {
			return fmt.Errorf("parse configuration of the running CRI-O: %w", err)
		}
		s.takeCRIO(table(tree, "crio", "network"))
	}
	return nil
}

// takeCRIO takes what CRI-O serves as its configuration, which has all keys.
func (s *Site) takeCRIO(network map[string]any) {
	if dir, ok := network["network_dir"].(string); ok {
		s.takeDir("network_dir", &s.ConfDir, dir)
	}
	if dirs, ok := texts(network["plugin_dirs"]); ok {
		s.takeDirs(dirs)
	}
	if name, ok := network["cni_default_network"].(string); ok && name != s.Runtime.DefaultNetwork {
		s.changed("cni_default_network", fmt.Sprintf("%q", name), fmt.Sprintf("%q", s.Runtime.DefaultNetwork))
		s.Runtime.DefaultNetwork = name
	}
}

func (s *Site) takeDir(setting string, dir *string, running string) {
	if running == "" || filepath.Clean(running) == filepath.Clean(*dir) {
		return
	}
	s.changed(setting, running, *dir)
	*dir = running
}

// takeDirs takes the plugin folders.
func (s *Site) takeDirs(running []string) {
	if len(running) == 0 || slices.EqualFunc(running, s.Runtime.BinDirs, func(a, b string) bool { return filepath.Clean(a) == filepath.Clean(b) }) {
		return
	}
	s.changed("the folders of plugins", fmt.Sprint(running), fmt.Sprint(s.Runtime.BinDirs))
	s.Runtime.BinDirs = slices.Clone(running)
}

// changed notes a setting that the runtime has otherwise than its configuration.
func (s *Site) changed(setting, running, configured string) {
	s.Running.Changed = append(s.Running.Changed, Change{setting, running, configured})
	s.How = append(s.How, fmt.Sprintf("%s is %s: the running %s, other than its configuration", setting, running, s.Name))
}
