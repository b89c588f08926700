// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/hostconf"
	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// linkManager checks whether a daemon of the node configures interfaces that are
// CNI's. Only those are judged that CNI provably owns: a node's own bridges and
// tunnels are managed on purpose.
type linkManager struct{}

func (linkManager) declare() guard.Declaration { return guard.Declaration{Name: "link-manager"} }

func (linkManager) check() *Check {
	return &Check{
		ID:        "CG304",
		Summary:   "A network manager of the node, systemd-networkd or NetworkManager, takes over the interfaces of pods: a restart, a reload or a short loss of carrier detaches running pods from their bridge, or deletes the routes and rules that lead to them.",
		Detection: "Reads /run/systemd/netif/links/INDEX (ADMIN_STATE, NETWORK_FILE) and /run/NetworkManager/devices/INDEX of the interfaces that CNI results name, of the bridge of the network's file and its ports, and of tunnels that lead to pods elsewhere; the .network, .link and .conf files that match them; NetworkingEnabled in NetworkManager.state, with a bridge or vxlan of pods that has no address. Being unmanaged alone does not make an interface safe: with ManageForeignRoutes= and ManageForeignRoutingPolicyRules= at their defaults, networkd deletes foreign routes over the uplink that it manages, and foreign rules. Healthy: networkd or NetworkManager manages only the uplink, and no route or rule of pods depends on it; a bridge or tunnel that networkd creates from a .netdev file; a bridge that is \"connected (externally)\".",
		Remedy:    "Add the drop-in that the finding names. Each setting protects something else: Unmanaged=yes the whole interface, KeepMaster=yes only its bridge, ManageForeignRoutingPolicyRules=no rules, KeepConfiguration= with ManageForeignRoutes=no routes at a reload, IgnoreCarrierLoss=yes routes at a loss of carrier. Do not restart a daemon to apply it unless the finding says so.",
		When:      guard.Node,
		Default:   guard.Warn,
		Probe:     probeLinkManager,
	}
}

// errNoManager is the reason to skip where neither daemon runs.
var errNoManager = guard.Skip("neither systemd-networkd nor NetworkManager runs on the node")

func probeLinkManager(ctx context.Context, t *Target) ([]guard.Finding, error) {
	owned, err := ownedLinks(ctx, t)
	if err != nil {
		return nil, err
	}
	root := t.host()
	if root.Hidden() {
		return nil, guard.Skip("runs in a container that does not have the node's /etc and /run")
	}
	networkd, err := root.Running("systemd-networkd.service", "systemd-networkd")
	if err != nil {
		return nil, err
	}
	manager, err := root.Running("NetworkManager.service", "NetworkManager")
	if err != nil {
		return nil, err
	}
	if !networkd && !manager && !root.UdevRuns() {
		return nil, errNoManager
	}
	if len(owned.links) == 0 {
		return nil, guard.Skip("no pod is on record that has an interface on the node, and no tunnel leads to pods elsewhere")
	}
	var findings []guard.Finding
	var errs []error
	for _, part := range []struct {
		runs  bool
		probe func(*Target, hostconf.Root, ownership) ([]guard.Finding, error)
	}{{networkd, networkdFindings}, {manager, networkManagerFindings}, {root.UdevRuns(), udevFindings}} {
		if !part.runs {
			continue
		}
		found, err := part.probe(t, root, owned)
		findings, errs = append(findings, found...), append(errs, err)
	}
	if err := errors.Join(errs...); err != nil || len(findings) > 0 || networkd || manager {
		return findings, err
	}
	return nil, errNoManager
}

// An ownership is what CNI provably owns on the node.
type ownership struct {
	links  []ownedLink
	ranges podRanges
	addrs  []netip.Addr // of pods on record
	all    []netstate.Link
	routes []netstate.Route // of the main table
}

// An ownedLink is an interface of CNI.
type ownedLink struct {
	netstate.Link
	bridge  string // that it is a port of, or was when CNI made it; "" for none
	routes  []netstate.Route
	pattern string // by which a file matches it and its like: "veth*"
	// future marks the interface that a pod to come will have; it has no index.
	future bool
}

// ownedLinks finds the interfaces that results on record name, the bridge of the
// guard's own file with its ports, and tunnels that lead to pods elsewhere.
func ownedLinks(ctx context.Context, t *Target) (ownership, error) {
	var o ownership
	var err error
	if o.all, err = t.Node.Links(); err != nil {
		return o, err
	}
	if o.routes, err = t.mainRoutes(); err != nil {
		return o, err
	}
	// Without ranges less is proved to be CNI's. That they are not known yet is for other checks.
	if o.ranges, err = t.podRanges(); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errPodCIDRByNode) {
		return o, err
	}
	names, bridges := map[string]bool{}, map[string]string{}
	if t.Attached != nil {
		attachments, err := t.Attached(ctx)
		if err != nil {
			return o, err
		}
		for _, a := range attachments {
			for _, addr := range a.Addrs {
				o.addrs = append(o.addrs, addr.Addr())
			}
			bridge := ""
			for _, link := range a.Links {
				if kindOf(o.all, link) == "bridge" {
					bridge = link
				}
			}
			for _, link := range a.Links {
				bridges[link] = bridge
				// kindnet names the pod's own interface without a sandbox, which reads as
				// if it were the node's eth0.
				names[link] = names[link] || link != a.IfName
			}
		}
	}
	primary, bridge := t.primaryPlugin()
	names[bridge] = true
	tunnels, err := podTunnels(t, o.ranges)
	if err != nil {
		return o, err
	}
	for _, l := range o.all {
		owned := ownedLink{Link: l, pattern: l.Name, bridge: linkNamed(o.all, l.Master)}
		if bridge := bridges[l.Name]; bridge != "" && l.Kind != "bridge" {
			owned.bridge = bridge // whatever its state is now
		}
		switch l.Kind {
		case "veth", "netkit":
			if !names[l.Name] && (owned.bridge == "" || !names[owned.bridge]) {
				continue
			}
			owned.pattern = podPattern(l.Name)
		case "bridge":
			if !names[l.Name] {
				continue
			}
		default:
			if !tunnels[l.Name] {
				continue
			}
		}
		for _, r := range o.routes {
			if r.Link == l.Name && isForeign(r.Protocol) {
				owned.routes = append(owned.routes, r)
			}
		}
		o.links = append(o.links, owned)
	}
	if to, ok := futureLinks()[primary]; ok && !slices.ContainsFunc(o.links, func(l ownedLink) bool { return l.Kind == "veth" }) {
		future := ownedLink{Link: netstate.Link{Name: to.name, Kind: "veth"}, pattern: podPattern(to.name), future: true}
		if to.routed {
			future.routes = []netstate.Route{{}}
		} else {
			future.bridge = bridge
		}
		o.links = append(o.links, future)
	}
	return o, nil
}

// primaryPlugin returns the type of the plugin that makes interfaces in the guard's own
// file, and the bridge that it uses; "" where it uses none.
func (t *Target) primaryPlugin() (kind, bridge string) {
	r, _ := t.runtime()
	d, err := t.confDir(r, nil)
	if err != nil || len(d.ownList.Plugins) == 0 {
		return "", ""
	}
	p := d.ownList.Plugins[0]
	var entry struct {
		Bridge   string
		Delegate struct{ Bridge string }
	}
	_ = json.Unmarshal(p.Raw, &entry) // an entry that is none is for the check conflist
	switch p.Type {
	case "bridge":
		bridge = cmp.Or(entry.Bridge, "cni0")
	case "flannel":
		bridge = cmp.Or(entry.Delegate.Bridge, "cni0")
	}
	return p.Type, bridge
}

// futureLinks are the names that plugins give the node's end of a pod's veth, by
// their type.
func futureLinks() map[string]struct {
	name   string
	routed bool // a route leads there, and no bridge
} {
	return map[string]struct {
		name   string
		routed bool
	}{
		"bridge": {"veth01234567", false}, "flannel": {"veth01234567", false},
		"ptp": {"veth01234567", true}, "calico": {"cali0123456789a", true},
		"aws-cni": {"eni0123456789a", true}, "cilium-cni": {"lxc0123456789a", true},
	}
}

// podPattern returns the pattern for the node's ends of pods' veths that are named
// alike; the name where it is of no known kind.
func podPattern(name string) string {
	for _, prefix := range []string{"veth", "cali", "lxc", "eni", "gke", "azv", "vethwe", "nk"} {
		if strings.HasPrefix(name, prefix) {
			return prefix + "*"
		}
	}
	return name
}

// podTunnels returns the tunnels that lead to pods on other nodes. WireGuard and GRE may
// as well carry a VPN of the operator: those count if the addresses behind them are
// known to be pods', or their name is one that a network plugin uses.
func podTunnels(t *Target, ranges podRanges) (map[string]bool, error) {
	all, err := t.tunnels()
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, p := range all.Peers {
		blocks := append([]netip.Prefix{p.Block}, p.More...)
		inside := slices.ContainsFunc(blocks, func(b netip.Prefix) bool { return b.IsValid() && ranges.contains(b.Addr()) })
		mayBeVPN := p.Kind == "wireguard" || strings.Contains(p.Kind, "gre")
		ours := slices.ContainsFunc([]string{"cali", "cilium", "flannel", "kilo"}, func(word string) bool { return strings.Contains(p.Device, word) })
		if inside || ours || !mayBeVPN {
			names[p.Device] = true
		}
	}
	for _, l := range all.Links {
		if tunnel.IsFlannelUDP(l) {
			names[l.Name] = true
		}
	}
	return names, nil
}

func kindOf(links []netstate.Link, name string) string {
	for _, l := range links {
		if l.Name == name {
			return l.Kind
		}
	}
	return ""
}

func linkNamed(links []netstate.Link, index int) string {
	for _, l := range links {
		if index != 0 && l.Index == index {
			return l.Name
		}
	}
	return ""
}

// isForeign reports whether neither the kernel nor networkd adds routes of the
// protocol (rtnetlink(7)): 1 redirect, 2 kernel, 4 static, 9 ra, 16 dhcp.
func isForeign(protocol int) bool { return !slices.Contains([]int{1, 2, 4, 9, 16}, protocol) }

// shown lists the first few interfaces and counts the others.
func (o ownership) shown(links []ownedLink) string {
	const few = 3
	var names []string
	for _, l := range links[:min(len(links), few)] {
		name := l.Name
		if l.future {
			name = "interfaces of pods to come (" + l.pattern + ")"
		}
		names = append(names, name)
	}
	text := strings.Join(names, ", ")
	if more := len(links) - few; more > 0 {
		text = fmt.Sprintf("%s and %d more", text, more)
	}
	return text
}

func (l ownedLink) forFiles(noUdev bool) hostconf.Link {
	return hostconf.Link{Name: l.Name, Index: l.Index, Kind: l.Kind, MAC: l.MAC, NoUdev: noUdev}
}
