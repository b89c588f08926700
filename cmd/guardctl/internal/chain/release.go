// SPDX-License-Identifier: Apache-2.0

package chain

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/containernetworking/cni/libcni"

	"github.com/cni-guard/cni-guard/pkg/release"
)

// patience bounds the DEL of each plugin. All together are bounded by the
// caller's context.
const patience = 15 * time.Second

// Release runs DEL of every plugin but the guard, last first, with an empty
// CNI_NETNS. Each is called whether or not the one before it failed.
func (c *Chain) Release(ctx context.Context) release.Outcome {
	o := c.walk(func(p *libcni.PluginConfig) release.Plugin { return c.release(ctx, p) })
	o.Left = c.left()
	return o
}

// Plan says what Release would do.
func (c *Chain) Plan() release.Outcome {
	o := c.walk(func(p *libcni.PluginConfig) release.Plugin {
		if special, ok := specials()[p.Network.Type]; ok {
			return release.Plugin{Type: p.Network.Type, Result: special.planned, Note: special.note}
		}
		return release.Plugin{Type: p.Network.Type, Result: release.Planned}
	})
	o.DryRun, o.Complete = true, false
	return o
}

// walk calls visit for every plugin but the guard, last first.
func (c *Chain) walk(visit func(*libcni.PluginConfig) release.Plugin) release.Outcome {
	o := release.Outcome{Source: c.Source, Plugins: []release.Plugin{}, Complete: true}
	for _, p := range slices.Backward(c.list.Plugins) {
		if p.Network.Type == "cni-guard" {
			continue
		}
		done := visit(p)
		o.Plugins = append(o.Plugins, done)
		o.Complete = o.Complete && done.Result != release.Failed
	}
	return o
}

// release runs one plugin, in the way that its type needs.
func (c *Chain) release(ctx context.Context, p *libcni.PluginConfig) release.Plugin {
	done := release.Plugin{Type: p.Network.Type, Result: release.Released}
	run := func(p *libcni.PluginConfig) error { return c.del(ctx, p) }
	var err error
	if special, ok := specials()[p.Network.Type]; ok {
		done.Result, done.Note = special.done, special.note
		err = special.release(p, run)
	} else {
		err = run(p)
	}
	if err != nil {
		done.Result, done.Note = release.Failed, err.Error()
	}
	return done
}

// del has libcni run DEL of one plugin as the only one of its list. libcni
// deletes the cache entry of a DEL that succeeded; it is the runtime's, so each
// call is given a cache of its own.
func (c *Chain) del(ctx context.Context, p *libcni.PluginConfig) error {
	cache, err := c.copyCache()
	if err != nil {
		return err
	}
	defer os.RemoveAll(cache)
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cni := libcni.NewCNIConfigWithCacheDir(c.attachment.BinDirs, cache, nil)
	return cni.DelNetworkList(ctx, &libcni.NetworkConfigList{
		Name:       c.list.Name,
		CNIVersion: c.list.CNIVersion,
		Plugins:    []*libcni.PluginConfig{p},
		Bytes:      c.list.Bytes,
	}, c.runtime)
}

func (c *Chain) copyCache() (string, error) {
	dir, err := os.MkdirTemp("", "cni-guard-release-")
	if err != nil {
		return "", fmt.Errorf("make folder for the cache entry: %w", err)
	}
	if c.entry == nil {
		return dir, nil
	}
	results := filepath.Join(dir, "results")
	name := c.list.Name + "-" + c.attachment.ContainerID + "-" + c.attachment.IfName
	if err = os.Mkdir(results, 0o700); err == nil {
		err = os.WriteFile(filepath.Join(results, name), c.entry, 0o600)
	}
	if err != nil {
		os.RemoveAll(dir)
		return "", fmt.Errorf("copy cache entry: %w", err)
	}
	return dir, nil
}
