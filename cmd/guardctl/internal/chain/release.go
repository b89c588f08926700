// SPDX-License-Identifier: Apache-2.0

package chain

import (
	"context"
	"slices"

	"github.com/containernetworking/cni/libcni"

	"github.com/cni-guard/cni-guard/pkg/release"
)

// Release runs DEL of every plugin but the guard, last first, with an empty
// CNI_NETNS, and keeps account of those that clean up by address in the book,
// which may be nil. Each is called whether or not the one before it failed; the
// time that the context allows is shared out so that each can be.
func (c *Chain) Release(ctx context.Context, book Book) release.Outcome {
	o := release.Outcome{Source: c.Source, Plugins: []release.Plugin{}, Complete: true}
	others := c.others()
	var left []string
	for i, p := range others {
		done, leaves := c.release(ctx, book, len(others)-i, p)
		o.Plugins = append(o.Plugins, done)
		o.Complete = o.Complete && done.Result != release.Failed
		left = append(left, leaves...)
	}
	o.Left = append(left, c.left()...)
	return o
}

// Plan says what Release would do. The book is asked, and told nothing.
func (c *Chain) Plan(book Book) release.Outcome {
	o := release.Outcome{Source: c.Source, Plugins: []release.Plugin{}, DryRun: true}
	for _, p := range c.others() {
		call, plan := planFor(p)
		refusal, _ := account(book, p)
		switch {
		case refusal != "":
			plan, _ = c.notCalled(p, refusal)
		case call != "":
			plan.Result = release.Planned
			if left, keeps := c.keeps(p); keeps {
				o.Left = append(o.Left, left)
			}
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
// still to be run, and returns what it left.
func (c *Chain) release(ctx context.Context, book Book, waiting int, p *libcni.PluginConfig) (release.Plugin, []string) {
	call, done := planFor(p)
	if call == "" {
		return done, nil
	}
	refusal, end := account(book, p)
	if refusal != "" {
		return c.notCalled(p, refusal)
	}
	ctx, cancel := share(ctx, waiting)
	defer cancel()
	err := await(ctx, func() error { return c.del(ctx, call, p) })
	end(err)
	if err != nil {
		done.Result, done.Note = release.Failed, err.Error()
		return done, nil
	}
	done.Result = release.Released
	if left, keeps := c.keeps(p); keeps {
		done.Result, done.Note = release.Kept, "its DEL does nothing without a namespace"
		return done, []string{left}
	}
	return done, nil
}
