// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/cni-guard/cni-guard/conformance/runtimes"
)

// ConfDir implements runtimes.Selector.
func (c *Containerd) ConfDir() string { return c.confDir() }

// Own implements runtimes.Selector.
func (c *Containerd) Own() string { return runtimes.OwnFile }

// Product implements runtimes.Selector.
func (c *Containerd) Product() string { return "containerd" }

// Selected implements runtimes.Selector: what crictl info shows, without the network of
// lo, which is compiled in and comes from no file.
func (c *Containerd) Selected(ctx context.Context) ([]runtimes.Network, error) {
	text, err := c.Info(ctx)
	if err != nil {
		return nil, err
	}
	var info struct {
		Networks []struct{ Config runtimes.Network }
	}
	if err := json.Unmarshal([]byte(text["cniconfig"]), &info); err != nil {
		return nil, fmt.Errorf("read containerd's network: %w", err)
	}
	var selected []runtimes.Network
	for _, n := range info.Networks {
		if n.Config.Name != "cni-loopback" {
			selected = append(selected, n.Config)
		}
	}
	return selected, nil
}
