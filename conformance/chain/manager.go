// SPDX-License-Identifier: Apache-2.0

package chain

import (
	"fmt"
	"os"
	"path/filepath"
)

// LinkManagerBridge is the bridge of LinkManager, which does nothing as long as the
// node does not have it.
const LinkManagerBridge = "br0"

// LinkManager makes the veth of each new pod a port of its own bridge, once. It is a plugin
// of the chain so that it is always done before the next plugin is called. systemd-networkd
// with Name=veth* and Bridge=br0 does it again whenever the port is moved back: package
// managers has the real one.
func LinkManager() Plugin { return Plugin{"type": linkManager} }

const linkManager = "link-manager"

const linkManagerScript = `#!/bin/sh
case $CNI_COMMAND in
VERSION) echo '{"cniVersion":"1.0.0","supportedVersions":["0.3.1","0.4.0","1.0.0","1.1.0"]}' ;;
ADD)
	conf=$(cat)
	printf '%s' "$conf" | sed 's/.*"prevResult"://; s/,"type":.*//'
	! ip link show br0 >/dev/null 2>&1 ||
		ip link set "$(printf '%s' "$conf" | sed 's/.*"name":"\(veth[^"]*\)".*/\1/')" master br0 >&2
	;;
esac
`

// WriteLinkManager writes the program of LinkManager to a directory of plugins.
func WriteLinkManager(dir string) error {
	script := []byte(linkManagerScript)
	if err := os.WriteFile(filepath.Join(dir, linkManager), script, 0o755); err != nil {
		return fmt.Errorf("write plugin %s: %w", linkManager, err)
	}
	return nil
}
