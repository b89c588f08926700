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
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/node"
)

const networkd = "/lib/systemd/systemd-networkd"

// bridgePortTaken: a file of the real systemd-networkd matches all interfaces, so that it
// takes running pods off their bridge when it starts, as after an upgrade.
func bridgePortTaken() incident {
	return incident{
		name:  "bridge-port-taken",
		title: "systemd-networkd starts and takes running pods off their bridge",
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
			ctx, cancel := context.WithTimeout(ctx, networkdPatience)
			defer cancel()
			on, err := r.runtime(chain.Bridge(r.hostLocal()))
			if err != nil {
				return err
			}
			first, err := r.start(ctx, on, "web-0")
			if err != nil {
				return err
			}
			if err := r.configureNetworkd("99-all.network", "[Match]\nName=*\n[Network]\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n"); err != nil {
				return err
			}
			stop, err := startNetworkd(ctx)
			if err != nil {
				return err
			}
			defer stop()
			if err := awaitSettled(ctx, first); err != nil {
				return err
			}
			if isPort(first) {
				return errors.New("systemd-networkd started and left the port of web-0 alone")
			}
			r.event("systemd-networkd starts, with 99-all.network: [Match] Name=*, and takes web-0 off cni0")
			second, err := r.start(ctx, on, "web-1")
			if err != nil {
				return err
			}
			if err := awaitSettled(ctx, second); err != nil {
				return err
			}
			// A slow systemd-networkd takes the port of a new pod after its ADD. It does so
			// once, and a later ADD repairs it: all ports are looked at every 30 s.
			for n := 2; r.guard != "" && !(isPort(first) && isPort(second)); n++ {
				later, err := r.start(ctx, on, fmt.Sprintf("web-%d", n))
				if err != nil {
					return err
				}
				if err := awaitSettled(ctx, later); err != nil {
					return err
				}
				if n > 2 {
					time.Sleep(2 * time.Second)
				}
			}
			const gateway = "10.88.0.1:8080"
			if _, err := node.Serve(ctx, r.node.Path, gateway); err != nil {
				return err
			}
			r.expect(connects(ctx, first, gateway), "the running pod is back with the next pod's ADD", "the running pod is CUT OFF from its gateway and all beyond it")
			return nil
		},
	}
}

// networkdPatience bounds the incident. It takes seconds, but a machine may be busy.
const networkdPatience = 4 * time.Minute

// isPort reports whether the node's end of a pod is a port of cni0.
func isPort(p pod) bool {
	master, err := os.Readlink("/sys/class/net/" + p.hostVeth + "/master")
	return err == nil && filepath.Base(master) == "cni0"
}

// awaitSettled waits until systemd-networkd has done what it does to the node's end of a
// pod when it sees it first.
func awaitSettled(ctx context.Context, p pod) error {
	index, err := os.ReadFile("/sys/class/net/" + p.hostVeth + "/ifindex")
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		state, err := os.ReadFile("/run/systemd/netif/links/" + strings.TrimSpace(string(index)))
		if err == nil && strings.Contains(string(state), "ADMIN_STATE=configured\n") {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fmt.Errorf("await that systemd-networkd configures %s: %w", p.hostVeth, ctx.Err())
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
	// systemd marks a service that it has started.
	const mark = "/run/systemd/units/invocation:systemd-networkd.service"
	if err := errors.Join(os.MkdirAll(filepath.Dir(mark), 0o755), os.Symlink("8a6f4c2b", mark)); err != nil {
		return nil, err
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
