// SPDX-License-Identifier: Apache-2.0

package libcni

import (
	"context"
	"fmt"
	"os/exec"

	"github.com/cni-guard/cni-guard/conformance/node"
	"github.com/cni-guard/cni-guard/conformance/runtimes"
)

// Ping implements runtimes.Runtime: a process of the pod's namespace.
func (l *Libcni) Ping(ctx context.Context, from, to runtimes.Pod) error {
	return node.Within(from.Netns, func() error {
		out, err := exec.CommandContext(ctx, l.site.Pause, "ping", to.Address).CombinedOutput()
		if err != nil {
			return fmt.Errorf("ping from pod %s to %s: %w: %s", from.Name, to.Address, err, out)
		}
		return nil
	})
}
