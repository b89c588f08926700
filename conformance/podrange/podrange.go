// SPDX-License-Identifier: Apache-2.0

// Package podrange has the last part of the first incident of the seeds: the range of
// the pods contains an address that the node needs, of its own network, its resolver or
// the API server.
package podrange

import (
	"fmt"
	"net/netip"
	"os"

	"github.com/cni-guard/cni-guard/conformance/node"
)

// A Case is a range with such an address in it.
type Case struct {
	Name   string // in the name of a scenario
	What   string // that is in the range: "the node's network"
	Range  string // of the pods
	Needed string // the address, of a machine beyond the node
	Finds  []string

	resolver bool // it is the one of /etc/resolv.conf
	api      bool // it is the API server
}

// Cases returns all cases.
func Cases() []Case {
	const block, service = "198.51.100.0/24", "198.51.100.53"
	return []Case{
		{Name: "node-network", What: "the node's network", Range: "192.0.2.0/24", Needed: node.Outside, Finds: []string{"192.0.2.10", "192.0.2.0/24"}},
		{Name: "resolver", What: "the node's resolver", Range: block, Needed: service, Finds: []string{service, block}, resolver: true},
		{Name: "api-server", What: "the API server", Range: block, Needed: service, Finds: []string{service, block}, api: true},
	}
}

// Guard returns the keys of the guard's entry that the case needs: the API server's
// address, which the guard otherwise reads from the kubeconfig of kubelet.
func (c Case) Guard() map[string]any {
	if !c.api {
		return nil
	}
	return map[string]any{"checks": map[string]any{"address-overlap": map[string]any{"apiServer": []string{c.Needed}}}}
}

// Prepare makes the node one that needs the address: its /etc/resolv.conf names the
// resolver or nothing, and systemd runs there, as on a node and not in a container. Undo
// uncovers /etc/resolv.conf.
func (c Case) Prepare() (undo func() error, err error) {
	if err := os.MkdirAll("/run/systemd/system", 0o755); err != nil {
		return nil, fmt.Errorf("prepare node: %w", err)
	}
	text := ""
	if c.resolver {
		text = "nameserver " + c.Needed + "\n"
	}
	return node.Cover("/etc/resolv.conf", text)
}

// PlugIn adds the machine that has the address to the network of the node, and returns
// the path of its namespace.
func (c Case) PlugIn(n *node.Node) (string, error) {
	path, err := n.PlugOutside()
	if err != nil || c.Needed == node.Outside {
		return path, err
	}
	return path, node.AddAddress(path, "lo", netip.PrefixFrom(netip.MustParseAddr(c.Needed), 32).String())
}
