// SPDX-License-Identifier: Apache-2.0

// Package podman runs Debian's podman 4 with its CNI backend. There is no daemon:
// every command is a process of its own. It calls no plugin for lo, asks its
// networks once to remove a pod, and removes it whatever they answer.
package podman

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/runtimes"
)

// A Podman is a runtime.
type Podman struct {
	site runtimes.Site
	mu   sync.Mutex // of the log
}

// New makes the podman that scripts/podman.sh unpacked into the site's directory.
func New(site runtimes.Site) runtimes.Runtime { return &Podman{site: site} }

func (p *Podman) confDir() string { return filepath.Join(p.site.Disk, "net.d") }

// Guard implements runtimes.Runtime.
func (p *Podman) Guard() chain.Plugin {
	return chain.Plugin{"type": "cni-guard", "confDir": p.confDir()}
}

// config is for podman: directories of one's own, and nothing that needs systemd.
const config = `[network]
network_backend = "cni"
cni_plugin_dirs = ["BIN"]
network_config_dir = "CONF"
default_network = "` + chain.Name + `"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
conmon_path = ["PROGRAMS/usr/bin/conmon"]
runtime = "runc"
`

// storage is where podman keeps containers. There are no images.
const storage = `[storage]
driver = "vfs"
runroot = "/run/podman/root"
graphroot = "DISK/graph"
`

// DeletesAsMade implements runtimes.Runtime.
func (p *Podman) DeletesAsMade() bool { return true }

// Start implements runtimes.Runtime.
func (p *Podman) Start(ctx context.Context) error {
	fill := strings.NewReplacer("BIN", p.site.Bin, "CONF", p.confDir(), "PROGRAMS", p.site.Programs, "DISK", p.site.Disk)
	for name, text := range map[string]string{"containers.conf": config, "storage.conf": storage, "registries.conf": ""} {
		if err := os.WriteFile(filepath.Join(p.site.Disk, name), []byte(fill.Replace(text)), 0o600); err != nil {
			return fmt.Errorf("start podman: %w", err)
		}
	}
	if _, err := p.podman(ctx, "ps"); err != nil {
		return fmt.Errorf("start podman: %w", err)
	}
	return nil
}

// podman runs a command and returns what it prints.
func (p *Podman) podman(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(p.site.Programs, "usr/bin/podman"),
		append([]string{"--tmpdir", "/run/podman/tmp"}, args...)...)
	libraries, err := filepath.Glob(filepath.Join(p.site.Programs, "usr/lib/*-linux-gnu"))
	if err != nil {
		return "", err
	}
	cmd.Env = append(os.Environ(),
		"LD_LIBRARY_PATH="+strings.Join(libraries, ":"),
		"CONTAINERS_CONF="+filepath.Join(p.site.Disk, "containers.conf"),
		"CONTAINERS_STORAGE_CONF="+filepath.Join(p.site.Disk, "storage.conf"),
		"CONTAINERS_REGISTRIES_CONF="+filepath.Join(p.site.Disk, "registries.conf"))
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	if logged := p.log(stderr.String()); logged != nil {
		return "", logged
	}
	if err != nil {
		return "", fmt.Errorf("podman %s: %w: %s", args[0], err, bytes.TrimSpace(stderr.Bytes()))
	}
	return strings.TrimSpace(stdout.String()), nil
}

func (p *Podman) log(text string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	file, err := os.OpenFile(p.site.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = file.WriteString(text)
	return err
}
