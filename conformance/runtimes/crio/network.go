// SPDX-License-Identifier: Apache-2.0

package crio

import (
	"context"
	"path/filepath"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/runtimes"
)

// ConfDir implements runtimes.Selector.
func (c *CRIO) ConfDir() string { return filepath.Join(c.site.Disk, "net.d") }

// Own implements runtimes.Selector.
func (c *CRIO) Own() string { return runtimes.OwnFile }

// Product implements runtimes.Selector.
func (c *CRIO) Product() string { return "crio" }

// Configure implements runtimes.Runtime.
func (c *CRIO) Configure(ctx context.Context, version string, plugins ...chain.Plugin) error {
	text, err := runtimes.WriteNetwork(c.ConfDir(), version, plugins)
	if err != nil || c.cmd == nil { // without a process, it is read at the start
		return err
	}
	return runtimes.AwaitNetwork(ctx, c, text)
}
