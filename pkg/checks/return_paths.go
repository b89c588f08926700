// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"maps"
	"slices"

	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// A ReturnPath is an interface by which IPv4 packets come back to pods.
type ReturnPath struct {
	Link   string
	Tunnel bool // from pods of other nodes; else by the default route
}

// ReturnPaths returns the interfaces of the default routes, and the tunnels that
// routes with a gateway lead into, by name. Other interfaces may carry no packets of
// pods. The cost grows with the routes; only guardctl and the agent ask, and the
// plugin does not carry what it takes.
func ReturnPaths(node netstate.View) ([]ReturnPath, error) {
	routes, err := node.Routes()
	if err != nil {
		return nil, err
	}
	dump, err := node.TunnelDump()
	if err != nil {
		return nil, err
	}
	tunnels := map[string]bool{}
	for _, l := range dump.Links {
		tunnels[l.Name] = l.Kind != "openvswitch" && l.Master == 0
	}
	paths := map[string]ReturnPath{}
	for _, r := range routes {
		switch {
		case r.Link == "":
		case !r.Dst.IsValid() && r.Gateway.Is4():
			paths[r.Link] = ReturnPath{Link: r.Link}
		case r.Dst.IsValid() && r.Dst.Addr().Is4() && r.Gateway.IsValid() && tunnels[r.Link]:
			paths[r.Link] = ReturnPath{Link: r.Link, Tunnel: true}
		}
	}
	var all []ReturnPath
	for _, link := range slices.Sorted(maps.Keys(paths)) {
		all = append(all, paths[link])
	}
	return all, nil
}
