// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/cni-guard/cni-guard/conformance/runtimes/cri"
)

// containerdConfig has what a container without CAP_SYS_RESOURCE needs, and leaves out
// the plugins that write outside of the directories of containerd.
const containerdConfig = `version = 3
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.nri.v1.nri"]
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.cri.v1.images"]
  snapshotter = "overlayfs"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "` + cri.PauseImage + `"
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["/opt/cni/bin"]
    conf_dir = "/etc/cni/net.d"
    max_conf_num = 1
`

// kubeletConfig leaves the machine's resources alone: nothing is evicted or collected,
// however full its disk is.
const kubeletConfig = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
containerRuntimeEndpoint: unix://SOCKET
cgroupDriver: cgroupfs
failCgroupV1: false
failSwapOn: false
enforceNodeAllocatable: []
evictionHard: {memory.available: 0%, nodefs.available: 0%, nodefs.inodesFree: 0%, imagefs.available: 0%}
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
localStorageCapacityIsolation: false
resolvConf: ""
nodeStatusUpdateFrequency: 4s
maxPods: 200
`

// daemon starts a program in the node's control group.
func (n *Node) daemon(name string, args ...string) *exec.Cmd {
	n.t.Helper()
	inside := n.command(args...)
	join := `for procs in /sys/fs/cgroup/*/"$0"/cgroup.procs; do echo 0 >"$procs"; done; exec "$@"`
	cmd := exec.Command("sh", append([]string{"-euc", join, n.cgroup}, inside.Args...)...)
	cmd.Dir, cmd.Env = inside.Dir, inside.Env
	return n.c.start(n.Name+"-"+name, cmd)
}

// startRuntime starts the node's runtime, which has the images then.
func (n *Node) startRuntime() {
	n.t.Helper()
	if n.Runtime == crio {
		n.startCRIO()
		return
	}
	n.Write("/etc/containerd/config.toml", containerdConfig)
	n.StartContainerd()
	for _, archive := range n.c.images() {
		n.In("ctr", "--address", "/run/containerd/containerd.sock", "--namespace", "k8s.io", "images", "import", "--snapshotter", "overlayfs", archive)
	}
}

// images returns the archives of all images by name: those of the agent and that of Pods.
func (c *Cluster) images() map[string]string {
	c.t.Helper()
	archive, err := cri.PauseArchive(c.program("", "pause"))
	if err != nil {
		c.t.Fatal(err)
	}
	pause := filepath.Join(c.dir, "pause.tar")
	c.write(pause, string(archive))
	images := map[string]string{cri.PauseImage: pause}
	for _, tag := range c.Versions() {
		images["ghcr.io/cni-guard/cni-guard:"+tag] = filepath.Join(c.bin, "image", "cni-guard-"+tag+"-image.tar")
	}
	return images
}

// StartContainerd starts containerd and waits until it answers.
func (n *Node) StartContainerd() {
	n.t.Helper()
	dir := filepath.Join(n.c.bin, "containerd2")
	n.containerd = n.daemon("containerd", "env", "PATH="+dir+":/usr/sbin:/usr/bin:/sbin:/bin", filepath.Join(dir, "containerd"))
	n.c.await("containerd of "+n.Name, func() error {
		out, err := n.Try("ctr", "--address", "/run/containerd/containerd.sock", "version")
		if err != nil {
			return fmt.Errorf("%w: %s", err, strings.TrimSpace(out))
		}
		return nil
	})
}

func (n *Node) startKubelet() {
	n.t.Helper()
	socket := "/run/containerd/containerd.sock"
	if n.Runtime == crio {
		socket = crioSocket
	}
	n.Write("/var/lib/kubelet/config.yaml", strings.ReplaceAll(kubeletConfig, "SOCKET", socket))
	n.kubelet = n.daemon("kubelet", n.c.program("kubernetes", "kubelet"), "--config=/var/lib/kubelet/config.yaml",
		"--kubeconfig="+n.c.pki(n.Name+".kubeconfig"), "--hostname-override="+n.Name, "--node-ip="+n.Address, "--v=0")
}
