// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/checktest"
)

// chartCapabilities returns what the chart gives the agent's container. A test of the chart
// has the same lists, and TestChartCapabilities compares those of the generated manifests.
func chartCapabilities(profile string) []string {
	switch profile {
	case "observe":
		return []string{"sys_chroot"}
	case "repair":
		return []string{"sys_chroot", "net_admin", "net_raw"}
	}
	return []string{"sys_chroot", "net_admin", "net_raw", "chown", "fowner", "dac_override"}
}

func TestChartCapabilities(t *testing.T) {
	for file, profile := range map[string]string{"observe": "observe", "install": "repair"} {
		manifest, err := os.ReadFile("../../deploy/manifests/" + file + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		_, container, _ := strings.Cut(string(manifest), "- name: agent\n")
		want := "add: [" + strings.ToUpper(strings.Join(chartCapabilities(profile), ", ")) + "]"
		if _, add, _ := strings.Cut(container, "add: ["); !strings.HasPrefix("add: ["+add, want) {
			t.Errorf("%s.yaml gives the agent other capabilities than %s", file, want)
		}
	}
}

// confined starts the agent as in the chart's container: root of the node's file system at
// another path, with these capabilities, and none to be had by executing something.
func (r *rig) confined(capabilities ...string) (*os.Process, *buffer) {
	r.t.Helper()
	return r.start(confinement(capabilities)...)
}

// confinement returns the command that takes all but these capabilities from another one.
func confinement(capabilities []string) []string {
	set := "--bounding-set=-all"
	for _, c := range capabilities {
		set += ",+" + c
	}
	return []string{"setpriv", "--no-new-privs", "--inh-caps=-all", set, "--"}
}

// confinedRig is a rig whose agent is to enter the node's root.
func confinedRig(t *testing.T, args ...string) *rig {
	r := newRig(t, args...)
	// Not below a directory that is removed with all that it has: an unmount that fails would
	// have the machine's files removed.
	host, err := os.MkdirTemp("", "host")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(host) })
	checktest.Shell(t, "mount --rbind / "+host)
	t.Cleanup(func() { checktest.Shell(t, "umount -l "+host) })
	r.args = append(r.args, "--root", host)
	return r
}

// without returns the capabilities but for one.
func without(all []string, one string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(c string) bool { return c == one })
}

// The profile observe needs no capability but the one to enter the node's root: each check
// has the state that it has with all capabilities.
func TestObserveCapabilities(t *testing.T) {
	slow := map[string]bool{}
	states := func(confined bool) map[string]string {
		r := confinedRig(t)
		agent, _ := r.start()
		if confined {
			_ = agent.Kill()
			agent, _ = r.confined(chartCapabilities("observe")...)
		}
		r.ready(agent.Pid)
		all := map[string]string{}
		for _, c := range r.status().Checks {
			all[c.Check] = c.State
			if c.State == "unknown" && strings.Contains(c.Why, "in time") {
				slow[c.Check] = true // a busy machine, not a capability
			}
		}
		return all
	}
	free, confined := states(false), states(true)
	// Rules of nftables can be read with NET_ADMIN only.
	for _, name := range append(slices.Collect(maps.Keys(slow)), "bridge-netfilter", "overlay-firewall") {
		delete(free, name)
		delete(confined, name)
	}
	if len(free)+len(slow) < 10 || !maps.Equal(free, confined) {
		t.Errorf("with all capabilities %v, with the chart's %v", free, confined)
	}

	r := confinedRig(t)
	_, log := r.confined()
	r.await("the agent does not start without SYS_CHROOT", func() bool { return strings.Contains(log.String(), "operation not permitted") })
}

// With the profile repair the kernel's state is repaired with NET_ADMIN, and not without it.
func TestRepairCapabilities(t *testing.T) {
	checktest.PrivateNode(t)
	checktest.Shell(t, "ip link set lo up; echo 1 >/proc/sys/net/ipv4/ip_forward")
	t.Cleanup(func() { checktest.Shell(t, "ip link set lo up") })
	r := confinedRig(t, "--profile", "repair")
	agent, _ := r.confined(chartCapabilities("repair")...)
	r.ready(agent.Pid)
	checktest.Shell(t, "ip link set lo down")
	r.await("lo is up", loIsUp)
	if err := agent.Kill(); err != nil {
		t.Fatal(err)
	}
	weak, _ := r.confined(without(chartCapabilities("repair"), "net_admin")...)
	r.ready(weak.Pid)
	checktest.Shell(t, "ip link set lo down")
	r.await("the repair fails without NET_ADMIN", func() bool {
		c := r.status().Check("host-loopback")
		return c != nil && c.State == "failed"
	})
	if loIsUp() {
		t.Error("lo is up without NET_ADMIN")
	}
}

// With keep enforce the conf dir of another user is kept, with its owners and modes. Each
// of the three capabilities for that is needed.
func TestEnforceCapabilities(t *testing.T) {
	const uid, gid = 1234, 4321
	all := chartCapabilities("enforce")
	for _, missing := range []string{"", "chown", "fowner", "dac_override"} {
		t.Run("without "+missing, func(t *testing.T) {
			r := confinedRig(t, "--profile", "repair", "--keep", "enforce")
			if err := os.Chown(r.path("conf"), uid, gid); err != nil {
				checktest.Lacking(t, "no other users in this user namespace: "+err.Error())
			}
			agent, _ := r.confined(without(all, missing)...)
			r.ready(agent.Pid)
			// As the network plugin writes it, of its own user.
			r.write("rewritten", conf)
			if err := errors.Join(os.Chown(r.path("rewritten"), uid, gid), os.Chmod(r.path("rewritten"), 0o664),
				os.Rename(r.path("rewritten"), r.path("conf/10-net.conflist"))); err != nil {
				t.Fatal(err)
			}
			counted := func(result string) bool { return r.status().Counters.ConfActions["reinsert"][result] > 0 }
			if missing != "" {
				r.await("the agent fails to put the guard back", func() bool { return counted("failed") })
				return
			}
			r.await("the guard is back", func() bool { return counted("done") })
			info, err := os.Stat(r.path("conf/10-net.conflist"))
			if err != nil {
				t.Fatal(err)
			}
			if st := info.Sys().(*syscall.Stat_t); st.Uid != uid || st.Gid != gid || info.Mode().Perm() != 0o664 {
				t.Errorf("the file belongs to %d:%d, mode %v", st.Uid, st.Gid, info.Mode())
			}
			r.write("rogue", strings.Replace(conf, "net", "rogue", 1))
			if err := os.Rename(r.path("rogue"), r.path("conf/05-rogue.conflist")); err != nil {
				t.Fatal(err)
			}
			r.await("the rogue is in quarantine", func() bool { return r.read("conf/05-rogue.conflist") == "" })
		})
	}
}

// With the profile repair the checks that ask other nodes ask them with NET_RAW, and say that
// they lack it without.
func TestProbeCapabilities(t *testing.T) {
	addNodes(t)
	all := chartCapabilities("repair")
	for _, missing := range []string{"", "net_raw"} {
		r := confinedRig(t, "--profile", "repair")
		agent, _ := r.start(append([]string{"ip", "netns", "exec", "near"}, confinement(without(all, missing))...)...)
		r.ready(agent.Pid)
		for _, check := range []string{"tunnel-peers", "overlay-path"} {
			unknown := func() bool {
				c := r.status().Check(check)
				return c != nil && c.State == "unknown" && strings.Contains(c.Why, "open ICMP socket: operation not permitted; it takes CAP_NET_RAW")
			}
			passed := func() bool { c := r.status().Check(check); return c != nil && c.State == "passed" }
			if missing == "" {
				r.await(check+" has passed", passed)
			} else {
				r.await(check+" is unknown without NET_RAW", unknown)
			}
		}
	}
}
