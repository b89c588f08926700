// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/cni-guard/cni-guard/conformance/runtimes/cri"
)

// crioConfig has what this machine needs. Everything else is CRI-O's default.
const crioConfig = `[crio]
root = "/var/lib/containers/storage"
runroot = "/run/containers/storage"
storage_driver = "overlay"
version_file_persist = "/var/lib/containers/version"
clean_shutdown_file = "/var/lib/containers/clean.shutdown"
[crio.api]
listen = "/run/crio/crio.sock"
[crio.runtime]
default_runtime = "runc"
cgroup_manager = "cgroupfs"
conmon_cgroup = "pod"
pinns_path = "PROGRAMS/pinns"
hooks_dir = []
[crio.runtime.runtimes.runc]
runtime_path = "/etc/crio/runc"
runtime_type = "oci"
runtime_root = "/run/runc"
monitor_cgroup = "pod"
[crio.image]
pause_image = "IMAGE"
pause_command = "/pause"
signature_policy = "/etc/containers/policy.json"
[crio.network]
network_dir = "/etc/cni/net.d"
plugin_dirs = ["/opt/cni/bin"]
[crio.nri]
enable_nri = false
`

// crioRunc calls runc. Only a process with CAP_SYS_RESOURCE may start a container that the
// kernel ends later than others, as kubelet wants it of critical pods; containerd has an
// option for machines without it, and CRI-O has none.
const crioRunc = `#!/bin/sh
last=
for arg; do
	[ "$last" != --bundle ] || sed -i 's/"oomScoreAdj": *-[0-9]*/"oomScoreAdj":0/' "$arg/config.json"
	last=$arg
done
exec runc "$@"
`

// crioSocket is where CRI-O listens.
const crioSocket = "/run/crio/crio.sock"

// startCRIO starts CRI-O with the images in its storage: there is no registry.
func (n *Node) startCRIO() {
	n.t.Helper()
	programs := filepath.Join(n.c.bin, "crio")
	n.Write("/etc/crio/crio.conf.d/10-node.conf", strings.NewReplacer("PROGRAMS", programs, "IMAGE", cri.PauseImage).Replace(crioConfig))
	n.Write("/etc/crio/runc", crioRunc)
	n.Write("/etc/containers/policy.json", `{"default": [{"type": "insecureAcceptAnything"}]}`)
	// Without a hierarchy of this controller runc fails to set its limits.
	n.In("sh", "-euc", `chmod 0755 /etc/crio/runc
		grep -v hugetlb /proc/cgroups >/run/cgroups
		mount --bind /run/cgroups /proc/cgroups`)
	for name, archive := range n.c.images() {
		n.In("env", "TMPDIR=/var/lib/containers", n.c.program("crio", "copyimg"),
			"--root", "/var/lib/containers/storage", "--runroot", "/run/containers/storage", "--storage-driver", "overlay",
			"--signature-policy", "/etc/containers/policy.json", "--import-from", "oci-archive:"+archive, "--image-name", name)
	}
	n.daemon("crio", n.c.program("crio", "crio"))
	client := cri.Client{Name: "CRI-O of " + n.Name}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := client.Dial(ctx, n.Inside(crioSocket)); err != nil {
		n.t.Fatal(err)
	}
	_ = client.Close()
}
