// SPDX-License-Identifier: Apache-2.0

package chain

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/containernetworking/cni/libcni"

	"github.com/cni-guard/cni-guard/pkg/release"
)

// A Book keeps account of the plugins that clean up by address, which must not be
// called twice for one attachment.
type Book interface {
	// Begin is called before the DEL of such a plugin, and returns why it must
	// not be called, as a clause for people, or "".
	Begin(plugin string) (refusal string)
	// End is called after it.
	End(plugin string, err error)
}

// Addrs returns the pod's addresses as ADD answered them; nil where that is not
// known.
func (c *Chain) Addrs() []netip.Addr {
	if c.answer == nil {
		return nil
	}
	var addrs []netip.Addr
	for _, ip := range c.answer.IPs {
		if ip == nil {
			continue
		}
		if addr, ok := netip.AddrFromSlice(ip.Address.IP); ok {
			addrs = append(addrs, addr.Unmap())
		}
	}
	return addrs
}

// account asks the book for a plugin, if it is one that cleans up by address, and
// returns what to tell it when the plugin has ended.
func account(b Book, p *libcni.PluginConfig) (refusal string, end func(error)) {
	name := p.Network.Type
	if b == nil || !slices.Contains(release.CleanByAddress(), name) {
		return "", func(error) {}
	}
	return b.Begin(name), func(err error) { b.End(name, err) }
}

// notCalled is what becomes of a plugin that must not be called, and what it
// leaves.
func (c *Chain) notCalled(p *libcni.PluginConfig, why string) (release.Plugin, []string) {
	name := p.Network.Type
	done := release.Plugin{Type: name, Result: release.NotCalled, Note: why}
	if name == "portmap" && c.remembered && c.runtime.CapabilityArgs["portMappings"] == nil ||
		name == "firewall" && c.answer == nil {
		return done, nil // it made no rules, or leftBy names them
	}
	return done, []string{fmt.Sprintf("the rules of plugin %s for %s, if any are left; its DEL was left out: %s", name, c.addresses(), why)}
}

// keeps reports that a plugin keeps the address though its DEL succeeded.
func (c *Chain) keeps(p *libcni.PluginConfig) (left string, keeps bool) {
	for _, k := range release.Keepers() {
		if k.Type == p.Network.Type {
			return fmt.Sprintf("%s in %s, as the DEL of %s does nothing without a namespace; to give it back, %s (%s)",
				c.addresses(), k.Database, k.Type, k.Remedy, c.attachment.ContainerID), true
		}
	}
	return "", false
}
