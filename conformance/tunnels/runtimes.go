// SPDX-License-Identifier: Apache-2.0

package tunnels

import (
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"

	"github.com/cni-guard/cni-guard/conformance/chain"
)

// Dirs are where things are and go.
type Dirs struct {
	Reference string // the reference plugins
	Guard     string // our programs
	Work      string // of the cluster
}

// NewCluster returns the nodes of the network a runtime each, with the guard last in
// its chain where it is to be there. Each has directories of its own, as it has on
// machines of their own. What programs print goes to the journal.
func NewCluster(l *Network, f Dirs, guarded bool, seed uint64, journal io.Writer) (*Cluster, error) {
	c := &Cluster{Network: l, folders: f, guarded: guarded, random: rand.New(rand.NewPCG(seed, 0)), journal: journal}
	for _, n := range l.Nodes {
		if err := c.equip(n); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c *Cluster) equip(n *Node) error {
	dir := c.folders.dir(n)
	plugins := []chain.Plugin{chain.PTP(ipam(n, dir))}
	bin := []string{c.folders.Reference}
	if c.guarded {
		plugins = append(plugins, chain.Guard(dir))
		bin = []string{c.folders.Guard, c.folders.Reference}
	}
	r, err := chain.NewRuntime(dir, bin, c.journal, "1.0.0", plugins...)
	if err != nil {
		return fmt.Errorf("make runtime of %s: %w", n.Name, err)
	}
	c.runtimes = append(c.runtimes, r)
	return nil
}

// Grow adds a node, with all that the others have, to which routes appear
// only when it runs.
func (c *Cluster) Grow() error {
	n, err := c.boot()
	if err != nil {
		return fmt.Errorf("grow: %w", err)
	}
	if err := c.equip(n); err != nil {
		return fmt.Errorf("grow: %w", err)
	}
	if len(c.loops) > 0 {
		if err := c.loop(n); err != nil {
			return fmt.Errorf("grow: %w", err)
		}
	}
	return c.introduce()
}

func (f Dirs) dir(n *Node) string { return filepath.Join(f.Work, n.Name) }

// stateDir is where the guard of the node keeps its state.
func (f Dirs) stateDir(n *Node) string { return filepath.Join(f.dir(n), "state") }

// ipam hands out the addresses of the node's block, but that of its tunl0.
func ipam(n *Node, dir string) chain.Plugin {
	first := inner(n.number).Next()
	return chain.Plugin{
		"type":    "host-local",
		"dataDir": filepath.Join(dir, "leases"),
		"ranges":  [][]map[string]string{{{"subnet": block(n.number).String(), "gateway": first.String()}}},
		"routes":  []map[string]string{{"dst": "0.0.0.0/0"}},
	}
}
