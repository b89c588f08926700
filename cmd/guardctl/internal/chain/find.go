// SPDX-License-Identifier: Apache-2.0

package chain

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/containernetworking/cni/libcni"
)

// An Attachment names what to release, and where its chain may be found.
type Attachment struct {
	ContainerID, IfName, Network string

	CacheDir string   // the runtime's libcni cache
	ConfDirs []string // searched in turn where the cache has no entry
	BinDirs  []string // where the plugins are
}

// A Chain is what an attachment was made with.
type Chain struct {
	Source string // the file that says so

	attachment Attachment
	list       *libcni.NetworkConfigList
	runtime    *libcni.RuntimeConf
	entry      []byte // the cache entry; nil where there is none
}

// ErrNone means that neither the cache nor a conf dir names the chain.
var ErrNone = errors.New("no chain is known")

// Find looks for the chain in the runtime's cache, then by the name of the
// network in the conf dirs: an ADD that failed leaves no cache entry, and may
// have left an address.
func Find(a Attachment) (*Chain, error) {
	c := &Chain{
		attachment: a,
		Source:     filepath.Join(a.CacheDir, "results", strings.Join([]string{a.Network, a.ContainerID, a.IfName}, "-")),
		runtime:    &libcni.RuntimeConf{ContainerID: a.ContainerID, IfName: a.IfName},
	}
	var err error
	if c.entry, err = os.ReadFile(c.Source); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read cache entry: %w", err)
	}
	if c.fromCache() {
		return c, nil
	}
	for _, dir := range a.ConfDirs {
		if c.fromConfDir(dir) {
			return c, nil
		}
	}
	return nil, fmt.Errorf("%w: neither %s nor a configuration of network %s in %s is there",
		ErrNone, c.Source, a.Network, strings.Join(a.ConfDirs, ", "))
}

// fromCache takes the configuration that libcni kept at ADD, with the arguments
// of that call. Entries of very old runtimes hold a result only.
func (c *Chain) fromCache() bool {
	cni := libcni.NewCNIConfigWithCacheDir(nil, c.attachment.CacheDir, nil)
	network := &libcni.NetworkConfigList{Name: c.attachment.Network}
	config, runtime, err := cni.GetNetworkListCachedConfig(network, c.runtime)
	if err != nil || len(config) == 0 {
		return false
	}
	if c.list, err = parse(config); err != nil {
		return false
	}
	c.runtime = runtime
	return true
}

// fromConfDir takes the first file that configures the network. A file that
// does not parse is somebody else's trouble.
func (c *Chain) fromConfDir(dir string) bool {
	files, err := libcni.ConfFiles(dir, []string{".conf", ".conflist", ".json"})
	if err != nil {
		return false
	}
	for _, file := range files {
		list, err := load(file)
		if err == nil && list.Name == c.attachment.Network {
			c.list, c.Source = list, file
			return true
		}
	}
	return false
}

// load reads a list with its drop-in plugins, or a single configuration.
func load(file string) (*libcni.NetworkConfigList, error) {
	if filepath.Ext(file) == ".conflist" {
		return libcni.NetworkConfFromFile(file)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return parse(data)
}

// parse reads a list or a single configuration.
func parse(data []byte) (*libcni.NetworkConfigList, error) {
	single, err := libcni.NetworkPluginConfFromBytes(data)
	if err != nil { // a list has no type
		return libcni.NetworkConfFromBytes(data)
	}
	return libcni.ConfListFromConf(single)
}
