// SPDX-License-Identifier: Apache-2.0

package chain

import (
	"context"
	"slices"

	"github.com/containernetworking/cni/libcni"

	"github.com/cni-guard/cni-guard/pkg/release"
)

// Release runs DEL of every plugin but the guard, last first, with an empty
// CNI_NETNS. Each is called whether or not the one before it failed; the time
// that the context allows is shared out so that each can be.
func (c *Chain) Release(ctx context.Context) release.Outcome {
	o := release.Outcome{Source: c.Source, Plugins: []release.Plugin{}, Complete: true}
	others := c.others()
	for i, p := range others {
		done := c.release(ctx, len(others)-i, p)
		o.Plugins = append(o.Plugins, done)
		o.Complete = o.Complete && done.Result != release.Failed
	}
	o.Left = c.left()
	return o
}

// Plan says what Release would do.
func (c *Chain) Plan() release.Outcome {
	o := release.Outcome{Source: c.Source, Plugins: []release.Plugin{}, DryRun: true}
	for _, p := range c.others() {
		call, plan := planFor(p)
		if call != "" {
			plan.Result = release.Planned
		}
		o.Plugins = append(o.Plugins, plan)
	}
	return o
}

// others gives the plugins that are not the guard, in the order of DEL.
func (c *Chain) others() []*libcni.PluginConfig {
	var others []*libcni.PluginConfig
	for _, p := range slices.Backward(c.list.Plugins) {
		if p.Network.Type != "cni-guard" {
			others = append(others, p)
		}
	}
	return others
}

// release runs one plugin, in the way that its type needs, when so many are
// still to be run.
func (c *Chain) release(ctx context.Context, waiting int, p *libcni.PluginConfig) release.Plugin {
	call, done := planFor(p)
	if call == "" {
		return done
	}
	ctx, cancel := share(ctx, waiting)
	defer cancel()
	done.Result = release.Released
	if err := await(ctx, func() error { return c.del(ctx, call, p) }); err != nil {
		done.Result, done.Note = release.Failed, err.Error()
	}
	return done
}
