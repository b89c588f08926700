// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"path/filepath"
	"strconv"
	"strings"

	"github.com/cni-guard/cni-guard/conformance/runtimes/cri"
)

// config1 is for containerd 1.6. The options are those that a container without
// CAP_SYS_RESOURCE needs, and directories of one's own. Disabled is what would write
// outside of these.
const config1 = `version = 2
root = "DISK/containerd"
state = "STATE"
disabled_plugins = ["io.containerd.internal.v1.opt"]
[grpc]
  address = "SOCKET"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "IMAGE"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "native"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "BIN"
    conf_dir = "CONF"
    max_conf_num = 1
`

// config2 is the same for containerd 2.
const config2 = `version = 3
root = "DISK/containerd"
state = "STATE"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.nri.v1.nri"]
[grpc]
  address = "SOCKET"
[plugins."io.containerd.cri.v1.images"]
  snapshotter = "native"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "IMAGE"
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["BIN"]
    conf_dir = "CONF"
    max_conf_num = 1
    use_internal_loopback = INTERNAL
`

func (c *Containerd) renderConfig() string {
	return strings.NewReplacer(
		"DISK", filepath.Clean(c.site.Disk),
		"STATE", stateDir,
		"SOCKET", c.socket(),
		"IMAGE", cri.PauseImage,
		"BIN", c.site.Bin,
		"CONF", c.confDir(),
		"INTERNAL", strconv.FormatBool(c.settings.InternalLoopback),
	).Replace(c.config)
}
