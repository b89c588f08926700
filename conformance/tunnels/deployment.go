// SPDX-License-Identifier: Apache-2.0

package tunnels

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"

	"github.com/cni-guard/cni-guard/conformance/chain"
)

// A Share is how many connections of some came about.
type Share struct{ Reached, Tried int }

// Percent returns the share, rounded down: 100 is all.
func (s Share) Percent() int { return 100 * s.Reached / max(s.Tried, 1) }

// String returns "12 of 30 (40 %)".
func (s Share) String() string {
	return fmt.Sprintf("%d of %d (%d %%)", s.Reached, s.Tried, s.Percent())
}

// A Cluster is a network whose nodes have runtimes. Its pods come and connect in an
// order that its seed decides.
type Cluster struct {
	*Network
	folders  Dirs
	guarded  bool             // the plugin is in the chain
	runtimes []*chain.Runtime // by node
	loops    []*exec.Cmd      // guardctl tunnels warm --loop, by node; none before KeepWarm
	random   *rand.Rand
	journal  io.Writer
}

// Deploy starts so many pods, one after the other, each on some node. Each
// connects at once to a pod on another node, if there is one.
func (c *Cluster) Deploy(ctx context.Context, pods int) (Share, error) {
	var share Share
	for range pods {
		i := c.random.IntN(len(c.Nodes))
		p, err := c.Nodes[i].Start(ctx, c.runtimes[i])
		if err != nil {
			return share, err
		}
		if err := c.connect(p, &share); err != nil {
			return share, err
		}
	}
	return share, nil
}

// Reconnect has all pods connect once more, in another order.
func (c *Cluster) Reconnect() (Share, error) {
	var pods []*Pod
	for _, n := range c.Nodes {
		pods = append(pods, n.pods...)
	}
	c.random.Shuffle(len(pods), func(i, j int) { pods[i], pods[j] = pods[j], pods[i] })
	var share Share
	for _, p := range pods {
		if err := c.connect(p, &share); err != nil {
			return share, err
		}
	}
	return share, nil
}

func (c *Cluster) connect(p *Pod, share *Share) error {
	var others []*Pod
	for _, n := range c.Nodes {
		if n != p.Node {
			others = append(others, n.pods...)
		}
	}
	if len(others) == 0 {
		return nil
	}
	reached, err := p.Reaches(others[c.random.IntN(len(others))])
	if err != nil {
		return err
	}
	share.Tried++
	if reached {
		share.Reached++
	}
	return nil
}
