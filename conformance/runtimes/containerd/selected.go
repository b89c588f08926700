// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"context"
	"encoding/json"
	"fmt"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/cni-guard/cni-guard/conformance/runtimes"
)

// Folder is of runtimes.Selector.
func (c *Containerd) Folder() string { return c.confDir() }

// Own is of runtimes.Selector.
func (c *Containerd) Own() string { return confFile }

// Selected is of runtimes.Selector: what crictl info shows, without the network of
// lo, which is compiled in and comes from no file.
func (c *Containerd) Selected(ctx context.Context) ([]runtimes.Network, error) {
	status, err := c.cri.Status(ctx, &cri.StatusRequest{Verbose: true})
	if err != nil {
		return nil, fmt.Errorf("ask containerd for its network: %w", err)
	}
	var info struct {
		Networks []struct{ Config runtimes.Network }
	}
	if err := json.Unmarshal([]byte(status.GetInfo()["cniconfig"]), &info); err != nil {
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
