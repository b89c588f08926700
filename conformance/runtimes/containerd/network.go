// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"context"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/runtimes"
)

// Configure implements runtimes.Runtime.
func (c *Containerd) Configure(ctx context.Context, version string, plugins ...chain.Plugin) error {
	text, err := runtimes.WriteNetwork(c.confDir(), version, plugins)
	if err != nil || c.cmd == nil { // without a process, it is read at the start
		return err
	}
	return runtimes.AwaitNetwork(ctx, c, text)
}
