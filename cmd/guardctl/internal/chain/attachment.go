// SPDX-License-Identifier: Apache-2.0

package chain

import (
	"fmt"
	"strings"

	"github.com/containernetworking/cni/pkg/utils"
)

// An Attachment names what to release, and where its chain may be found.
type Attachment struct {
	ContainerID, IfName, Network string

	Args     string   // CNI_ARGS where the cache has none
	CacheDir string   // the runtime's libcni cache
	ConfDirs []string // searched in turn where the cache has no entry
	BinDirs  []string // where the plugins are
}

// Validate keeps to what libcni demands at ADD; at DEL it takes anything, and an
// empty name could be anybody's.
func (a Attachment) Validate() error {
	if err := utils.ValidateContainerID(a.ContainerID); err != nil {
		return fmt.Errorf("read container ID %q: %w", a.ContainerID, err)
	}
	if err := utils.ValidateInterfaceName(a.IfName); err != nil {
		return fmt.Errorf("read interface name %q: %w", a.IfName, err)
	}
	if err := utils.ValidateNetworkName(a.Network); err != nil {
		return fmt.Errorf("read network name %q: %w", a.Network, err)
	}
	return nil
}

// pairs takes CNI_ARGS apart.
func pairs(args string) [][2]string {
	var pairs [][2]string
	for pair := range strings.SplitSeq(args, ";") {
		if key, value, ok := strings.Cut(pair, "="); ok {
			pairs = append(pairs, [2]string{key, value})
		}
	}
	return pairs
}
