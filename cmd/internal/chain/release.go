// SPDX-License-Identifier: Apache-2.0

package chain

import (
	"context"
	"maps"
	"slices"

	"github.com/containernetworking/cni/libcni"

	"github.com/cni-guard/cni-guard/pkg/release"
)

// A ReleaseLog records calls of the plugins that clean up by address, which must not be
// called twice for one attachment.
type ReleaseLog interface {
	// Begin is called before the DEL of such a plugin. It returns why the plugin must
	// not be called, as a clause, or "".
	Begin(plugin string) (refusal string)
	// End is called after it.
	End(plugin string, err error)
}

// Release calls DEL of every plugin except cni-guard, last first, with an empty
// CNI_NETNS. It records the plugins that clean up by address in log, which may be nil.
// It calls each plugin even if an earlier one failed, and divides the time that the
// context allows among them.
func (c *Chain) Release(ctx context.Context, log ReleaseLog) release.Outcome {
	o := release.Outcome{Source: c.Source, Plugins: []release.Plugin{}, Complete: true}
	others := c.others()
	var left []string
	for i, p := range others {
		done, leaves := c.release(ctx, log, len(others)-i, p)
		o.Plugins = append(o.Plugins, done)
		o.Complete = o.Complete && done.Result != release.Failed
		left = append(left, leaves...)
	}
	o.Left = append(left, c.left()...)
	return o
}

// Plan returns what Release would do. It asks the log and records nothing.
func (c *Chain) Plan(log ReleaseLog) release.Outcome {
	o := release.Outcome{Source: c.Source, Plugins: []release.Plugin{}, DryRun: true}
	for _, p := range c.others() {
		call, plan := planFor(p)
		refusal, _ := begin(log, p)
		switch {
		case refusal != "":
			plan, _ = c.notCalled(p, refusal)
		case call != "":
			plan.Result = release.Planned
			if left, keeps := c.keptAddress(p); keeps {
				o.Left = append(o.Left, left)
			}
		}
		o.Plugins = append(o.Plugins, plan)
	}
	return o
}

// others returns the plugins other than cni-guard, in the order of DEL.
func (c *Chain) others() []*libcni.PluginConfig {
	var others []*libcni.PluginConfig
	for _, p := range slices.Backward(c.list.Plugins) {
		if p.Network.Type != "cni-guard" {
			others = append(others, p)
		}
	}
	return others
}

// release releases one plugin in the way its type needs, and returns what the plugin
// leaves behind. remaining is the number of plugins that share the time left.
func (c *Chain) release(ctx context.Context, log ReleaseLog, remaining int, p *libcni.PluginConfig) (release.Plugin, []string) {
	call, done := planFor(p)
	if call == "" {
		return done, nil
	}
	refusal, end := begin(log, p)
	if refusal != "" {
		return c.notCalled(p, refusal)
	}
	ctx, cancel := shareOfTime(ctx, remaining)
	defer cancel()
	err := callBounded(ctx, func() error { return c.del(ctx, call, p) })
	end(err)
	if err != nil {
		done.Result, done.Note = release.Failed, err.Error()
		return done, nil
	}
	done.Result = release.Released
	if left, keeps := c.keptAddress(p); keeps {
		done.Result, done.Note = release.Kept, "its DEL does nothing without a namespace"
		return done, []string{left}
	}
	return done, nil
}

// begin asks the log whether a plugin that cleans up by address may be called. The
// caller passes the result of the call to end.
func begin(log ReleaseLog, p *libcni.PluginConfig) (refusal string, end func(error)) {
	name := p.Network.Type
	if log == nil || !slices.Contains(release.CleanByAddress(), name) {
		return "", func(error) {}
	}
	return log.Begin(name), func(err error) { log.End(name, err) }
}

// A special case is how to release a plugin whose DEL does not work with an empty
// CNI_NETNS.
type specialCase struct {
	note string
	call func(*libcni.PluginConfig) string // the plugin to call instead; "" for none
}

// specialCases returns the special cases by plugin type: the types of
// release.NeedNamespace.
func specialCases() map[string]specialCase {
	return map[string]specialCase{
		"sbr": {
			note: "its rules and routes are in the sandbox and go with it",
			call: func(*libcni.PluginConfig) string { return "" },
		},
		// An IPAM plugin gets the whole configuration of its caller.
		"host-device": {
			note: "only its IPAM is called; the kernel moves a device back when its namespace ends",
			call: func(p *libcni.PluginConfig) string { return p.Network.IPAM.Type },
		},
	}
}

// SpecialCases returns the types of the plugins that Release does not simply call.
func SpecialCases() []string { return slices.Sorted(maps.Keys(specialCases())) }

// planFor returns the plugin to call for p, and what to report about p if there is
// none to call.
func planFor(p *libcni.PluginConfig) (call string, plan release.Plugin) {
	call, plan = p.Network.Type, release.Plugin{Type: p.Network.Type, Result: release.Skipped}
	if s, ok := specialCases()[p.Network.Type]; ok {
		call, plan.Note = s.call(p), s.note
	}
	return call, plan
}
