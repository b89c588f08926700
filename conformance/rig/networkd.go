// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/cni-guard/cni-guard/conformance/node"
	"github.com/cni-guard/cni-guard/conformance/runtimes"
)

// startNetworkd runs systemd-networkd of the machine in mounts of its own: without
// udevd it waits for none where /sys is read-only, and the runtime needs another /sys.
// It reads /run/systemd/network before what the machine has in /etc. systemd would have
// made the rest.
const startNetworkd = `
mkdir -p /run/systemd/network /run/systemd/units /run/systemd/netif/links /run/systemd/netif/leases /run/systemd/netif/lldp
chown -R systemd-network: /run/systemd/netif
printf '[Match]\nName=veth*\n[Network]\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n' >/run/systemd/network/00-veths.network
ln -sfn 8a6f4c2b /run/systemd/units/invocation:systemd-networkd.service
mount -t sysfs -o ro sysfs /sys
exec /lib/systemd/systemd-networkd`

// StartNetworkd starts systemd-networkd, which has a file for veths, and waits until it
// has taken the port of a pod off its bridge and is done with it.
func (s *Rig) StartNetworkd(ctx context.Context, running runtimes.Pod) error {
	end, err := node.NodeEnd(running.Netns)
	if err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(s.site.Disk, "networkd.log"))
	if err != nil {
		return fmt.Errorf("start systemd-networkd: %w", err)
	}
	defer log.Close()
	cmd := exec.Command("unshare", "--mount", "sh", "-euc", startNetworkd)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start systemd-networkd: %w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, 2*time.Minute, errors.New("it is not done after two minutes"))
	defer cancel()
	state := fmt.Sprintf("/run/systemd/netif/links/%d", end)
	for ctx.Err() == nil {
		text, _ := os.ReadFile(state)
		bridge, err := node.Bridge(s.node.Path, end)
		if err == nil && bridge == "" && strings.Contains(string(text), "ADMIN_STATE=configured\n") {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	said, _ := os.ReadFile(log.Name())
	return fmt.Errorf("await that systemd-networkd takes the port of a pod: %w\n%s", context.Cause(ctx), said)
}
