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
	"github.com/containernetworking/cni/pkg/types"
	current "github.com/containernetworking/cni/pkg/types/100"
)

// A Chain is what an attachment was made with.
type Chain struct {
	Source string // the file that says so

	attachment Attachment
	list       *libcni.NetworkConfigList
	runtime    *libcni.RuntimeConf
	remembered bool            // runtime is what ADD was given
	result     types.Result    // what ADD answered, in the list's version; nil where it is not known
	answer     *current.Result // the same in the newest version
}

// ErrNone means that neither the cache nor a conf dir names the chain.
var ErrNone = errors.New("no chain is known")

// Find looks for the chain in the runtime's cache, then by the name of the
// network in the conf dirs: an ADD that failed leaves no cache entry, and may
// have left an address.
func Find(a Attachment) (*Chain, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	c := &Chain{
		attachment: a,
		Source:     filepath.Join(a.CacheDir, "results", strings.Join([]string{a.Network, a.ContainerID, a.IfName}, "-")),
		runtime:    &libcni.RuntimeConf{ContainerID: a.ContainerID, IfName: a.IfName, Args: pairs(a.Args)},
	}
	// libcni takes an entry that cannot be read for one that is not there.
	if _, err := os.ReadFile(c.Source); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read cache entry: %w", err)
	}
	err := c.fromCache()
	for _, dir := range a.ConfDirs {
		if err == nil && c.list == nil {
			err = c.fromConfDir(dir)
		}
	}
	switch {
	case err != nil:
		return nil, err
	case c.list == nil:
		return nil, fmt.Errorf("%w: neither %s nor a configuration of network %s in %s is there",
			ErrNone, c.Source, a.Network, strings.Join(a.ConfDirs, ", "))
	}
	c.recallResult()
	return c, nil
}

// fromCache takes the configuration that libcni kept at ADD, with the arguments
// of that call. Entries of very old runtimes hold a result only. The entry lacks
// the plugins that libcni took from the network's own folder.
func (c *Chain) fromCache() error {
	network := &libcni.NetworkConfigList{Name: c.attachment.Network}
	config, runtime, err := c.cache().GetNetworkListCachedConfig(network, c.runtime)
	if err != nil || len(config) == 0 {
		return nil
	}
	list, err := parse(config)
	if err != nil {
		return nil
	}
	for _, dir := range c.attachment.ConfDirs {
		if found, err := addDropIns(list, dir); err != nil {
			return err
		} else if found {
			break
		}
	}
	if len(list.Plugins) > 0 {
		c.list, c.runtime, c.remembered = list, runtime, true
	}
	return nil
}

// fromConfDir takes the first file that configures the network. A file that
// does not parse is somebody else's trouble.
func (c *Chain) fromConfDir(dir string) error {
	files, err := libcni.ConfFiles(dir, []string{".conf", ".conflist", ".json"})
	if err != nil {
		return nil
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		list, err := parse(data)
		if err != nil || list.Name != c.attachment.Network {
			continue
		}
		if _, err := addDropIns(list, dir); err != nil {
			return err
		}
		if len(list.Plugins) > 0 {
			c.list, c.Source = list, file
			return nil
		}
	}
	return nil
}

func (c *Chain) cache() *libcni.CNIConfig {
	return libcni.NewCNIConfigWithCacheDir(nil, c.attachment.CacheDir, nil)
}

// recallResult takes what ADD answered out of the cache. Without a result that
// makes sense DEL goes on, as it does in libcni, which however panics on a null
// among the addresses.
func (c *Chain) recallResult() {
	defer func() {
		if recover() != nil {
			c.result, c.answer = nil, nil
		}
	}()
	result, err := c.cache().GetNetworkListCachedResult(c.list, c.runtime)
	if err != nil || result == nil {
		return
	}
	if c.answer, err = current.NewResultFromResult(result); err == nil {
		c.result = result
	}
}
