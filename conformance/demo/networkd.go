// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/node"
)

const networkd = "/lib/systemd/systemd-networkd"

// bridgePortTaken: the real systemd-networkd matches the veths of pods and makes them
// ports of a bridge of its own.
func bridgePortTaken() incident {
	return incident{
		name:  "bridge-port-taken",
		title: "systemd-networkd takes over the interfaces of pods",
		lacking: func() string {
			if _, err := os.Stat(networkd); err != nil {
				return "systemd-networkd is not installed"
			}
			if _, err := user.Lookup("systemd-network"); err != nil {
				return "there is no user systemd-network"
			}
			if !isMachineRoot() {
				return "systemd-networkd needs root"
			}
			return ""
		},
		play: func(ctx context.Context, r *rig) error {
			on, err := r.runtime(chain.Bridge(r.hostLocal()))
			if err != nil {
				return err
			}
			first, err := r.start(ctx, on, "web-0")
			if err != nil {
				return err
			}
			for name, text := range map[string]string{
				"10-lan.netdev":  "[NetDev]\nName=lan0\nKind=bridge\n",
				"20-lan.network": "[Match]\nName=lan0\n[Network]\nLinkLocalAddressing=no\n",
				"30-all.network": "[Match]\nName=veth*\n[Network]\nBridge=lan0\n",
			} {
				if err := r.configureNetworkd(name, text); err != nil {
					return err
				}
			}
			stop, err := startNetworkd(ctx)
			if err != nil {
				return err
			}
			defer stop()
			r.event("systemd-networkd starts, with 30-all.network: [Match] Name=veth*, [Network] Bridge=lan0")
			if err := awaitMaster(ctx, first.hostVeth, "lan0"); err != nil {
				return err
			}
			r.event("the port of web-0 is moved from cni0 to lan0")
			second, err := r.start(ctx, on, "web-1")
			if err != nil {
				return err
			}
			const gateway = "10.88.0.1:8080"
			if _, err := node.Serve(ctx, r.node.Path, gateway); err != nil {
				return err
			}
			reached := func() bool { return connects(ctx, first, gateway) && connects(ctx, second, gateway) }
			// On a busy machine systemd-networkd may take the second port after cni-guard
			// has checked it. A later call repairs it: all ports are checked every 30 s.
			for n := 2; r.guard != "" && n < 30 && !reached(); n++ {
				time.Sleep(2 * time.Second)
				if _, err := r.start(ctx, on, fmt.Sprintf("web-%d", n)); err != nil {
					return err
				}
			}
			r.expect(reached(), "pods reach their gateway", "pods are CUT OFF from their gateway and all beyond it")
			return nil
		},
	}
}

// isMachineRoot reports whether root here is root of the machine, and not of a user
// namespace.
func isMachineRoot() bool {
	text, err := os.ReadFile("/proc/self/uid_map")
	var inside, outside, count int64
	if err != nil {
		return false
	}
	_, err = fmt.Sscan(string(text), &inside, &outside, &count)
	return err == nil && inside == 0 && outside == 0 && count > 1
}

// configureNetworkd writes a file of systemd-networkd. The directory is private to this
// process's mount namespace.
func (r *rig) configureNetworkd(name, text string) error {
	const dir = "/etc/systemd/network"
	if _, err := os.Stat(filepath.Join(dir, ".private")); err != nil {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=0755"); err != nil {
			return fmt.Errorf("mount %s: %w", dir, err)
		}
		if err := os.WriteFile(filepath.Join(dir, ".private"), nil, 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644)
}

// startNetworkd starts systemd-networkd for the network namespace of this process. With
// a read-only /sys it does not wait for udevd.
func startNetworkd(ctx context.Context) (stop func(), err error) {
	if err := unix.Mount("sysfs", "/sys", "sysfs", unix.MS_RDONLY, ""); err != nil {
		return nil, fmt.Errorf("mount /sys: %w", err)
	}
	account, err := user.Lookup("systemd-network")
	if err != nil {
		return nil, err
	}
	uid, uidErr := strconv.Atoi(account.Uid)
	gid, gidErr := strconv.Atoi(account.Gid)
	if err := errors.Join(uidErr, gidErr); err != nil {
		return nil, err
	}
	for _, dir := range []string{"/run/systemd/netif", "/run/systemd/netif/links", "/run/systemd/netif/leases", "/run/systemd/netif/lldp"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
		if err := os.Chown(dir, uid, gid); err != nil {
			return nil, err
		}
	}
	cmd := exec.CommandContext(ctx, networkd)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start systemd-networkd: %w", err)
	}
	return func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}, nil
}

// awaitMaster waits until the link is a port of the bridge.
func awaitMaster(ctx context.Context, link, bridge string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for ctx.Err() == nil {
		if master, err := os.Readlink("/sys/class/net/" + link + "/master"); err == nil && filepath.Base(master) == bridge {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fmt.Errorf("await %s as a port of %s: %w", link, bridge, ctx.Err())
}
