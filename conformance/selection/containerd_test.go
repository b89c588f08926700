// SPDX-License-Identifier: Apache-2.0

package selection

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	gocni "github.com/containerd/go-cni"
)

// A network is what containerd attaches pods to.
type network struct {
	name, cniVersion string
	plugins          []string
}

// loadGoCNI loads a directory as containerd's CRI does (initCNIPlugins and
// cniLoadOptions in internal/cri/server/service_linux.go).
func loadGoCNI(dir string, maxConfNum int) ([]network, error) {
	c, err := gocni.New(gocni.WithMinNetworkCount(2), gocni.WithPluginConfDir(dir),
		gocni.WithPluginMaxConfNum(maxConfNum), gocni.WithPluginDir([]string{"/nowhere"}))
	if err != nil {
		return nil, err
	}
	if err := c.Load(gocni.WithLoNetwork, gocni.WithDefaultConf); err != nil {
		return nil, err
	}
	var networks []network
	for _, n := range c.GetConfig().Networks[1:] { // the first is its loopback
		loaded := network{n.Config.Name, n.Config.CNIVersion, nil}
		for _, p := range n.Config.Plugins {
			loaded.plugins = append(loaded.plugins, p.Network.Type)
		}
		networks = append(networks, loaded)
	}
	return networks, nil
}

// againstGoCNI reports how our selection differs from what go-cni loads.
func (o *ours) againstGoCNI(dir string, maxConfNum int) error {
	s, err := o.ask(request{Dir: dir, Runtime: "containerd", MaxConfNum: maxConfNum})
	if err != nil {
		return err
	}
	networks, loadErr := loadGoCNI(dir, maxConfNum)
	return compareGoCNI(s, dir, networks, loadErr)
}

func compareGoCNI(s selection, dir string, networks []network, loadErr error) error {
	switch {
	case (loadErr != nil) != (s.Disabled != ""):
		return fmt.Errorf("go-cni: %w; we: %q, %+v", orNil(loadErr), s.Disabled, s.Files)
	case loadErr != nil:
		return compareBlame(s, dir, loadErr)
	}
	loaded := s.with("selected", "attached")
	same := slices.EqualFunc(loaded, networks, func(f file, n network) bool {
		return f.Network == n.name && f.CNIVersion == n.cniVersion && slices.Equal(f.Plugins, n.plugins)
	})
	switch {
	case !same:
		return fmt.Errorf("go-cni loads %+v, we say %+v", networks, loaded)
	case loaded[0].Verdict != "selected" || s.Effective != loaded[0].Name:
		return fmt.Errorf("the first is %+v, and Effective says %q", loaded[0], s.Effective)
	}
	return nil
}

// compareBlame wants both to name the same file, and Effective to say the same.
func compareBlame(s selection, dir string, loadErr error) error {
	if s.NoNetwork != s.Disabled {
		return fmt.Errorf("Select says %q, Effective %q", s.Disabled, s.NoNetwork)
	}
	for _, f := range s.Files {
		path := filepath.Join(dir, f.Name)
		blamed := strings.Contains(loadErr.Error(), " file "+path+": ") || strings.Contains(loadErr.Error(), " file "+path+" to ")
		if blamed && (!strings.Contains(s.Disabled, path+" ") || f.Verdict != "invalid") {
			return fmt.Errorf("go-cni blames %s: %w; we say %q", f.Name, loadErr, s.Disabled)
		}
	}
	return nil
}

// orNil is for messages, where there may be no error.
func orNil(err error) error {
	if err == nil {
		return fmt.Errorf("loads it")
	}
	return err
}
