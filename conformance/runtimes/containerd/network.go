// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/runtimes"
)

// confFile is the network's file, the name of the right one in incident 004.
const confFile = "10-a.conflist"

// Configure is of runtimes.Runtime. The file is renamed into place, as the
// README reports operators to do.
func (c *Containerd) Configure(ctx context.Context, version string, plugins ...chain.Plugin) error {
	text, err := json.Marshal(map[string]any{"cniVersion": version, "name": chain.Name, "plugins": plugins})
	if err != nil {
		return fmt.Errorf("configure containerd: %w", err)
	}
	if err := os.MkdirAll(c.confDir(), 0o755); err != nil {
		return fmt.Errorf("configure containerd: %w", err)
	}
	file := filepath.Join(c.confDir(), confFile)
	if err := os.WriteFile(file+".new", text, 0o644); err != nil {
		return fmt.Errorf("configure containerd: %w", err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		return fmt.Errorf("configure containerd: %w", err)
	}
	if c.cmd == nil {
		return nil // it is read at the start
	}
	return runtimes.Await(ctx, "containerd to load its network", func(ctx context.Context) (bool, error) {
		selected, err := c.Selected(ctx)
		return slices.ContainsFunc(selected, func(n runtimes.Network) bool { return n.Source == string(text) }), err
	})
}
