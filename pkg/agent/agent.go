// SPDX-License-Identifier: Apache-2.0

package agent

import "github.com/cni-guard/cni-guard/pkg/netstate"

// An Options configures an agent.
type Options struct {
	Profile Profile
	Keep    Keep
	Kernel  *netstate.Live
}
