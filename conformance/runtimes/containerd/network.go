// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/runtimes"
)

// Configure is of runtimes.Runtime. The file is renamed into place, as the
// README tells operators to do.
func (c *Containerd) Configure(ctx context.Context, version string, plugins ...chain.Plugin) error {
	text, err := json.Marshal(map[string]any{"cniVersion": version, "name": chain.Name, "plugins": plugins})
	if err != nil {
		return fmt.Errorf("configure containerd: %w", err)
	}
	if err := os.MkdirAll(c.confDir(), 0o755); err != nil {
		return fmt.Errorf("configure containerd: %w", err)
	}
	file := filepath.Join(c.confDir(), "10-pods.conflist")
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
		loaded, err := c.loaded(ctx)
		return loaded == string(text), err
	})
}

// loaded gives the text of the conflist that containerd uses at present.
func (c *Containerd) loaded(ctx context.Context) (string, error) {
	status, err := c.cri.Status(ctx, &cri.StatusRequest{Verbose: true})
	if err != nil {
		return "", fmt.Errorf("ask containerd for its network: %w", err)
	}
	var info struct {
		Networks []struct {
			Config struct{ Name, Source string }
		}
	}
	if err := json.Unmarshal([]byte(status.GetInfo()["cniconfig"]), &info); err != nil {
		return "", fmt.Errorf("read containerd's network: %w", err)
	}
	for _, n := range info.Networks {
		if n.Config.Name == chain.Name {
			return n.Config.Source, nil
		}
	}
	return "", nil
}
