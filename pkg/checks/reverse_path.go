// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/guard"
)

// reversePath reports that the kernel drops packets for their source address. A strict
// filter alone is no finding: most networks work with it.
type reversePath struct{}

func (reversePath) declare() guard.Declaration { return guard.Declaration{Name: "reverse-path"} }

func (reversePath) check() *Check {
	return &Check{
		ID:        "CG308",
		Summary:   "The node drops packets of pods without a log message and without a firewall rule, because the route back to their source leads over another interface.",
		Detection: "rp_filter is strict on an interface that packets of pods arrive on (1 is the greater of net.ipv4.conf.all.rp_filter and that of the interface), and IPReversePathFilter of /proc/net/netstat grew since the last run, or, without an earlier run, while the check ran. With Cilium, 2 is a finding as well. The kernel does not count by interface. Calico's own rpfilter rule in the table raw is not checked.",
		Remedy:    "Set rp_filter to 2 on the interface that drops. To find it, run sysctl -w net.ipv4.conf.all.log_martians=1; dmesg then shows \"martian source\" with the interface.",
		When:      guard.Node,
		Default:   guard.Warn,
		Probe:     probeReversePath,
	}
}

const reversePathDrops = "netstat/IPReversePathFilter"

func probeReversePath(ctx context.Context, t *Target) ([]guard.Finding, error) {
	n, err := readNodeNetwork(t)
	if err != nil {
		return nil, err
	}
	paths := podPaths(n)
	if len(paths) == 0 {
		return nil, guard.Skip("no interface of the node carries packets of pods")
	}
	cilium := slices.ContainsFunc(t.networkPlugins(), func(p conflist.Plugin) bool { return p.Type == "cilium-cni" })
	pods, uplinks, err := filtered(t, n, paths, cilium)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, guard.Skip("there is no net.ipv4.conf.all.rp_filter: the kernel has no IPv4, or /proc/sys is hidden")
	}
	if err != nil {
		return nil, err
	}
	if len(pods)+len(uplinks) == 0 {
		return nil, guard.Skip("rp_filter is strict on none of " + named(paths) + "; an rpfilter rule, as Calico has one in the table raw, is not judged")
	}
	now, err := t.readCounters(reversePathDrops)
	if err != nil {
		return nil, err
	}
	if _, counts := now[reversePathDrops]; !counts {
		return nil, errors.New("read IPReversePathFilter of /proc/net/netstat: the kernel does not have it")
	}
	if now[reversePathDrops] == 0 && t.lastCounted("reverse-path").Values == nil {
		t.keepCounted("reverse-path", counted{At: t.now(), Values: now})
		return nil, nil // nothing was dropped since the node started
	}
	g, err := t.growthOf(ctx, "reverse-path", now, time.Time{})
	by, grew := g.By[reversePathDrops]
	if !grew {
		return nil, err
	}
	problem := fmt.Sprintf("dropped %d packets %s whose source is routed over another interface", by, g.Over)
	evidence := fmt.Sprintf("IPReversePathFilter of /proc/net/netstat: %d -> %d; rp_filter is in force on %s",
		g.From[reversePathDrops], g.Now[reversePathDrops], named(append(slices.Clone(pods), uplinks...)))
	remedy := "Find the interface that drops with: sysctl -w net.ipv4.conf.all.log_martians=1; dmesg then shows \"martian source\" with its name. If packets of pods arrive there, set its rp_filter to " + rightValue(cilium) + "."
	// An uplink also drops what others forge; only Cilium is known to suffer (cilium#13130).
	minor := len(pods) == 0 && !cilium
	return []guard.Finding{{
		Object: "node", Problem: problem, Evidence: evidence, Impact: "packets of pods that arrive there are dropped", Remedy: remedy, Minor: minor,
	}}, nil
}

// rightValue is what rp_filter must be: Cilium's packets have no route back at all
// (cilium#19761), those of others have one over another interface.
func rightValue(cilium bool) string {
	if cilium {
		return "0"
	}
	return "2"
}

// podPaths returns the interfaces that packets of pods arrive on: tunnels, bridges and
// pods' own ends, if there are any, and the uplinks.
func podPaths(n *nodeNetwork) []string {
	var names []string
	pods := false
	for name, l := range n.links {
		if name == "lo" || !l.Up {
			continue
		}
		pod := n.isPodLink(name) && l.Kind != "dummy"
		if pod || n.uplinks[name] {
			names = append(names, name)
		}
		pods = pods || pod
	}
	if !pods {
		return nil
	}
	slices.SortFunc(names, func(a, b string) int { return n.links[a].Index - n.links[b].Index })
	return names
}

// filtered returns the names of paths with their values, where the filter may drop what
// it should not: links of pods, and uplinks. Calico makes the ends of its pods strict
// itself, so that pods cannot forge addresses.
func filtered(t *Target, n *nodeNetwork, paths []string, cilium bool) (pods, uplinks []string, err error) {
	all, err := rpFilter(t, "all")
	if err != nil {
		return nil, nil, err
	}
	for _, name := range paths {
		own, err := rpFilter(t, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // the link is gone
		}
		if err != nil {
			return nil, nil, err
		}
		value := max(all, own)
		byDesign := strings.HasPrefix(name, "cali")
		if value != 1 && !(cilium && value == 2) || byDesign {
			continue
		}
		shown := fmt.Sprintf("%s (%d)", name, value)
		if n.uplinks[name] {
			uplinks = append(uplinks, shown)
		} else {
			pods = append(pods, shown)
		}
	}
	return pods, uplinks, nil
}

func rpFilter(t *Target, link string) (int, error) {
	text, err := t.Node.Sysctl("net/ipv4/conf/" + link + "/rp_filter")
	if err != nil {
		return 0, err
	}
	value, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("read rp_filter of %s: %w", link, err)
	}
	return value, nil
}
