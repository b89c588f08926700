// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/cni-guard/cni-guard/cmd/internal/cli"
	"github.com/cni-guard/cni-guard/pkg/checktest"
)

// attempts is how often a test makes a change until the trace names a program that ran for
// some milliseconds only: on a busy machine it may have been read too late.
const attempts = 20

// TestTrace makes real changes and reads who made them: as a fact where the kernel says it.
func TestTrace(t *testing.T) {
	checktest.PrivateNode(t)
	realRoot(t)
	conf, bin := confDir(t)
	w := start(t, both, installed(t), "trace", "--conf-dir", conf, "--bin-dir", bin, "--runtime", "containerd")
	w.await(`^guardctl: tracing`)
	t.Cleanup(func() { sh(t, "ip link set lo up") })

	again := func(change, undo, line, undone, want string) {
		t.Helper()
		for range attempts {
			sh(t, change)
			got := w.await(line)
			sh(t, undo)
			w.await(undone)
			if regexp.MustCompile(want).MatchString(got) {
				return
			}
		}
		t.Errorf("no line of %d matches %q:\n%s", attempts, want, strings.Join(w.seen, "\n"))
	}
	// The kernel does not name who changes a link: that is said, with what was started.
	again("ip link set lo down", "ip link set lo up", `^\S+ link lo: state up -> down, by whom is not known: `, `^\S+ link lo: state down -> up, `,
		`the kernel does not say it of this change; started just before: pid \d+ "ip link set lo down" \(\d+\.\d ms before\)`)
	again("ip addr add 10.9.0.1/24 dev lo", "ip addr del 10.9.0.1/24 dev lo", `^\S+ address 10\.9\.0\.1/24 dev lo: added, by `, `^\S+ address 10\.9\.0\.1/24 dev lo: removed, by `,
		`added, by pid \d+ "[^"]*\bip( addr add 10\.9\.0\.1/24 dev lo)?"[^(]* \((its netlink socket|the port of the netlink socket is its process ID)\)$`)
	again("ip route add blackhole 10.8.0.0/24", "ip route del blackhole 10.8.0.0/24", `^\S+ route blackhole 10\.8\.0\.0/24 table main: added, by `, `^\S+ route blackhole 10\.8\.0\.0/24 table main: removed, by `,
		`added, by pid \d+ "[^"]*\bip\b`)
	again("ip rule add pref 100 from 10.9.0.0/24 table 77", "ip rule del pref 100", `^\S+ rule 100: from 10\.9\.0\.0/24 lookup 77: added, by `, `^\S+ rule 100: from 10\.9\.0\.0/24 lookup 77: removed, by `,
		`added, by pid \d+ "[^"]*\bip\b`)
	sh(t, "sysctl -qw net.ipv4.conf.lo.rp_filter=0")
	again("sysctl -qw net.ipv4.conf.lo.rp_filter=2", "sysctl -qw net.ipv4.conf.lo.rp_filter=0", `^\S+ sysctl net\.ipv4\.conf\.lo\.rp_filter: \d -> 2, by `, `^\S+ sysctl net\.ipv4\.conf\.lo\.rp_filter: 2 -> 0, by `,
		`by pid \d+ "[^"]*sysctl\b.*\(the kernel names it as the writer\)$`)

	// A write by a shell that lives on: all of it is a fact.
	sh(t, `echo x >"$1/05-b.conflist"; sleep 0.3`, conf)
	w.await(`^\S+ file ` + conf + `/05-b\.conflist: added, by pid \d+ "sh -euc .* \(the kernel names it as the writer\)$`)
	sh(t, `echo more >"$1/new"; mv "$1/new" "$1/05-b.conflist"`, conf)
	w.await(`^\S+ file ` + conf + `/05-b\.conflist: changed, by pid \d+ .*\(the kernel names it as the writer\)$`)
	sh(t, `rm "$1/05-b.conflist"`, conf)
	w.await(`^\S+ file ` + conf + `/05-b\.conflist: removed, by pid \d+ .*\(the kernel names it as the writer\)$`)

	sh(t, "ip link add v0 type veth peer name v1")
	w.await(`^\S+ link v0: added \(veth\), by whom is not known`)
	sh(t, "ip link del v0")
	w.await(`^\S+ link v0: removed, by whom is not known`)
	_ = w.cmd.Process.Signal(syscall.SIGINT)
	if code := w.exit(); code != cli.ExitOK {
		t.Errorf("exit code %d after Ctrl-C", code)
	}
}

// With -o json there is a document in each line, and --for ends the trace. A user who is not
// root sees what changes, and what it cannot see is said.
func TestTraceAsAnyUser(t *testing.T) {
	checktest.PrivateNode(t)
	realRoot(t)
	guardctl := installed(t)
	conf, bin := confDir(t)
	sh(t, "sysctl -qw net.ipv4.conf.lo.forwarding=0")
	nobody := []string{"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", guardctl, "trace", "--conf-dir", conf, "--bin-dir", bin, "--runtime", "containerd", "-o", "json"}
	w := start(t, both, nobody...)
	w.await(`^guardctl: limited: who writes a sysctl is not reported`)
	w.await(`^guardctl: tracing`)
	t.Cleanup(func() { sh(t, "ip link set lo up; sysctl -qw net.ipv4.conf.lo.forwarding=0") })
	sh(t, "ip link set lo down")
	down := w.await(`"object":"lo"`)
	sh(t, "sysctl -qw net.ipv4.conf.lo.forwarding=1")
	sysctl := w.await(`"object":"net\.ipv4\.conf\.lo\.forwarding"`)
	sh(t, `echo x >"$1/05-b.conflist"`, conf)
	file := w.await(`"object":"[^"]*/05-b\.conflist"`)
	for _, line := range []string{down, sysctl, file} {
		var c struct {
			Kind, What, Old, New string
			Who                  struct{ Why string }
		}
		if err := json.Unmarshal([]byte(line), &c); err != nil || c.Kind == "" || c.What == "" || c.Who.Why == "" {
			t.Errorf("line %q: %v", line, err)
		}
	}
	_ = w.cmd.Process.Signal(syscall.SIGTERM)
	if code := w.exit(); code != cli.ExitOK {
		t.Errorf("exit code %d after SIGTERM", code)
	}
	if code := start(t, both, guardctl, "trace", "--for", "10ms", "--kind", "link").exit(); code != cli.ExitOK {
		t.Errorf("exit code %d after --for", code)
	}
	if code := start(t, both, guardctl, "trace", "--kind", "lnik").exit(); code != cli.ExitUsage {
		t.Errorf("exit code %d for a kind that is none", code)
	}
}
