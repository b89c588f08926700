// SPDX-License-Identifier: Apache-2.0

// Package chain finds the plugins of an attachment and calls their DEL without a
// namespace.
package chain

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/types"
	current "github.com/containernetworking/cni/pkg/types/100"
	"github.com/containernetworking/cni/pkg/utils"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// An Attachment names what to release and where to look for its chain.
type Attachment struct {
	ContainerID, IfName, Network string

	Args     string   // CNI_ARGS if the cache has none
	CacheDir string   // the runtime's libcni cache
	ConfDirs []string // searched in this order if the cache has no entry
	BinDirs  []string // where the plugins are
}

// Validate applies libcni's rules for ADD. libcni itself accepts any name at DEL, and
// an empty one could match other attachments.
func (a Attachment) Validate() error {
	if err := utils.ValidateContainerID(a.ContainerID); err != nil {
		return fmt.Errorf("read container ID %q: %w", a.ContainerID, err)
	}
	if err := utils.ValidateInterfaceName(a.IfName); err != nil {
		return fmt.Errorf("read interface name %q: %w", a.IfName, err)
	}
	if err := utils.ValidateNetworkName(a.Network); err != nil {
		return fmt.Errorf("read network name %q: %w", a.Network, err)
	}
	return nil
}

// pairs splits CNI_ARGS.
func pairs(args string) [][2]string {
	var pairs [][2]string
	for pair := range strings.SplitSeq(args, ";") {
		if key, value, ok := strings.Cut(pair, "="); ok {
			pairs = append(pairs, [2]string{key, value})
		}
	}
	return pairs
}

// A Chain is the configuration and the result of an attachment.
type Chain struct {
	Source string // the file with the configuration

	attachment Attachment
	list       *libcni.NetworkConfigList
	runtime    *libcni.RuntimeConf
	fromADD    bool            // list and runtime are those of the ADD
	result     types.Result    // of the ADD, in the version of the list; nil if unknown
	current    *current.Result // the same in the newest version
}

// ErrNone means that neither the cache nor a conf dir has the chain.
var ErrNone = errors.New("no chain is known")

// Find looks for the chain in the runtime's cache, and then in the conf dirs by the
// name of the network: a failed ADD leaves no cache entry, but may leave an address.
func Find(a Attachment) (*Chain, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	c := &Chain{
		attachment: a,
		Source:     filepath.Join(a.CacheDir, "results", strings.Join([]string{a.Network, a.ContainerID, a.IfName}, "-")),
		runtime:    &libcni.RuntimeConf{ContainerID: a.ContainerID, IfName: a.IfName, Args: pairs(a.Args)},
	}
	// libcni treats an unreadable entry as a missing one.
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
		return nil, fmt.Errorf("%w: %s does not exist, and no file in %s configures network %s",
			ErrNone, c.Source, strings.Join(a.ConfDirs, ", "), a.Network)
	}
	c.readResult()
	return c, nil
}

// fromCache reads the configuration and the arguments that libcni stored at ADD.
// Entries of very old runtimes hold only a result. The entry lacks the plugins that
// libcni loaded from the network's own directory.
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
		c.list, c.runtime, c.fromADD = list, runtime, true
	}
	return nil
}

// fromConfDir reads the first file that configures the network. It skips files that do
// not parse.
func (c *Chain) fromConfDir(dir string) error {
	names, err := conflist.Names(dir)
	if err != nil {
		return nil
	}
	for _, name := range names {
		path := filepath.Join(dir, name)
		data, err := os.ReadFile(path)
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
			c.list, c.Source = list, path
			return nil
		}
	}
	return nil
}

func (c *Chain) cache() *libcni.CNIConfig {
	return libcni.NewCNIConfigWithCacheDir(nil, c.attachment.CacheDir, nil)
}

// readResult reads the result of the ADD from the cache. Without a valid result, DEL
// runs all the same, as it does in libcni; but libcni panics on a null among the
// addresses.
func (c *Chain) readResult() {
	defer func() {
		if recover() != nil {
			c.result, c.current = nil, nil
		}
	}()
	result, err := c.cache().GetNetworkListCachedResult(c.list, c.runtime)
	if err != nil || result == nil {
		return
	}
	if c.current, err = current.NewResultFromResult(result); err == nil {
		c.result = result
	}
}

// Addrs returns the pod's addresses from the result of the ADD, or nil if unknown.
func (c *Chain) Addrs() []netip.Addr {
	if c.current == nil {
		return nil
	}
	var addrs []netip.Addr
	for _, ip := range c.current.IPs {
		if ip == nil {
			continue
		}
		if addr, ok := netip.AddrFromSlice(ip.Address.IP); ok {
			addrs = append(addrs, addr.Unmap())
		}
	}
	return addrs
}

// parse parses a list or a single configuration. A list without plugins has them in
// the network's own directory.
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
		LoadOnlyInlinedPlugins: true, // a single configuration has no such directory
		Plugins:                []*libcni.PluginConfig{single},
	}, nil
}

// addDropIns appends the plugins in the directory of the network's name, as runtimes
// do since libcni 1.3.
func addDropIns(list *libcni.NetworkConfigList, confDir string) (found bool, err error) {
	pluginDir := filepath.Join(confDir, list.Name)
	if info, err := os.Stat(pluginDir); list.LoadOnlyInlinedPlugins || err != nil || !info.IsDir() {
		return false, nil
	}
	plugins, err := libcni.NetworkPluginConfsFromFiles(confDir, list.Name)
	if err != nil {
		return false, fmt.Errorf("read plugins in %s: %w", pluginDir, err)
	}
	list.Plugins = append(list.Plugins, plugins...)
	return len(plugins) > 0, nil
}
