// SPDX-License-Identifier: Apache-2.0

package crio

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/conformance/runtimes"
	"github.com/cni-guard/cni-guard/conformance/runtimes/cri"
)

// config is what this node has of its own. Everything else is CRI-O's default.
// Without the sysctl a container could not ping: CRI-O gives no CAP_NET_RAW.
const config = `[crio]
root = "DISK/storage"
runroot = "/run/containers/storage"
storage_driver = "vfs"
log_dir = "DISK/logs"
version_file_persist = "DISK/version"
clean_shutdown_file = "DISK/clean.shutdown"
[crio.api]
listen = "SOCKET"
[crio.runtime]
default_runtime = "runc"
cgroup_manager = "cgroupfs"
conmon_cgroup = "pod"
pinns_path = "PROGRAMS/pinns"
hooks_dir = []
default_sysctls = ["net.ipv4.ping_group_range=0 2147483647"]
[crio.runtime.runtimes.runc]
runtime_type = "oci"
runtime_root = "/run/runc"
monitor_cgroup = "pod"
[crio.image]
pause_image = "IMAGE"
pause_command = "/pause"
signature_policy = "/etc/containers/policy.json"
[crio.network]
network_dir = "CONF"
plugin_dirs = ["BIN"]
cni_status_grace_period = "GRACE"
[crio.nri]
enable_nri = false
`

// ownEtc returns the node an /etc that may be changed, with CRI-O's directories in it.
func (c *CRIO) ownEtc() error {
	upper, work := filepath.Join(c.site.Disk, "etc"), filepath.Join(c.site.Disk, "etc-work")
	for _, dir := range []string{upper, work} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	options := fmt.Sprintf("lowerdir=/etc,upperdir=%s,workdir=%s", upper, work)
	if err := unix.Mount("overlay", "/etc", "overlay", 0, options); err != nil {
		return fmt.Errorf("mount overlay on /etc: %w", err)
	}
	for _, dir := range []string{"/etc/crio", "/etc/containers"} {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	const policy = `{"default":[{"type":"insecureAcceptAnything"}]}`
	if err := os.WriteFile("/etc/containers/policy.json", []byte(policy), 0o644); err != nil {
		return err
	}
	// On a machine with cgroups of both versions runc would take the empty one.
	// Elsewhere there is nothing to unmount. The mounts are this node's own.
	_ = syscall.Unmount("/sys/fs/cgroup/unified", 0)
	return nil
}

// configure writes what CRI-O reads at its start.
func (c *CRIO) configure() error {
	text := strings.NewReplacer(
		"DISK", filepath.Clean(c.site.Disk),
		"SOCKET", socket,
		"PROGRAMS", c.site.Programs,
		"IMAGE", cri.PauseImage,
		"CONF", c.ConfDir(),
		"BIN", c.site.Bin,
		"GRACE", c.settings.StatusGracePeriod.String(),
	).Replace(config)
	named := ""
	if c.settings.DefaultNetwork.By == runtimes.ByFile {
		named = fmt.Sprintf("[crio.network]\ncni_default_network = %q\n", c.settings.DefaultNetwork.Name)
	}
	dir := "/etc/crio/crio.conf.d"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, text := range map[string]string{"10-conformance.conf": text, "20-network.conf": named} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (c *CRIO) flags() []string {
	if c.settings.DefaultNetwork.By == runtimes.ByFlag {
		return []string{"--cni-default-network", c.settings.DefaultNetwork.Name}
	}
	return nil
}

func (c *CRIO) environ() []string {
	if c.settings.DefaultNetwork.By == runtimes.ByEnvironment {
		return []string{"CONTAINER_CNI_DEFAULT_NETWORK=" + c.settings.DefaultNetwork.Name}
	}
	return nil
}

// importPause puts the sandbox image into the storage, as no registry has it.
func (c *CRIO) importPause(ctx context.Context) error {
	archive, err := cri.PauseArchive(c.site.Pause)
	if err != nil {
		return err
	}
	file := filepath.Join(c.site.Disk, "pause.tar")
	if err := os.WriteFile(file, archive, 0o600); err != nil {
		return fmt.Errorf("import sandbox image: %w", err)
	}
	copyimg := exec.CommandContext(ctx, filepath.Join(c.site.Programs, "copyimg"),
		"--root", filepath.Join(c.site.Disk, "storage"), "--runroot", "/run/containers/storage", "--storage-driver", "vfs",
		"--signature-policy", "/etc/containers/policy.json",
		"--import-from", "oci-archive:"+file, "--image-name", cri.PauseImage)
	copyimg.Env = append(os.Environ(), "TMPDIR="+c.site.Disk)
	if out, err := copyimg.CombinedOutput(); err != nil {
		return fmt.Errorf("import sandbox image: %w: %s", err, out)
	}
	return nil
}
