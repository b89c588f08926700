// SPDX-License-Identifier: Apache-2.0

package chain

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/containernetworking/cni/libcni"
)

// parse reads a list or a single configuration. A list may come without plugins:
// then they are in the network's own folder.
func parse(data []byte) (*libcni.NetworkConfigList, error) {
	list, listErr := libcni.NetworkConfFromBytes(data)
	if listErr == nil && len(list.Plugins) > 0 {
		return list, nil
	}
	single, err := libcni.NetworkPluginConfFromBytes(data)
	if err != nil { // a list has no type
		return list, listErr
	}
	return &libcni.NetworkConfigList{
		Name:                   single.Network.Name,
		CNIVersion:             single.Network.CNIVersion,
		LoadOnlyInlinedPlugins: true, // it has no such folder
		Plugins:                []*libcni.PluginConfig{single},
	}, nil
}

// addDropIns appends the plugins in the folder of the network's name, as
// runtimes do since libcni 1.3.
func addDropIns(list *libcni.NetworkConfigList, confDir string) (found bool, err error) {
	folder := filepath.Join(confDir, list.Name)
	if info, err := os.Stat(folder); list.LoadOnlyInlinedPlugins || err != nil || !info.IsDir() {
		return false, nil
	}
	plugins, err := libcni.NetworkPluginConfsFromFiles(confDir, list.Name)
	if err != nil {
		return false, fmt.Errorf("read plugins in %s: %w", folder, err)
	}
	list.Plugins = append(list.Plugins, plugins...)
	return len(plugins) > 0, nil
}
