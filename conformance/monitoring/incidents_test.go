// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"os/exec"
	"slices"
	"testing"
)

// A play is an incident with the alert that must fire in it, and clear after it.
type play struct {
	alert string
	check string // the label check; "" if the alert has none
	begin func()
	again func() // repeated until the alert fires; nil: never
	end   func()
}

// act plays incidents at the same time.
func (m monitor) act(plays ...play) {
	m.t.Helper()
	each := func(what string, do func(play)) {
		for _, p := range plays {
			m.t.Logf("%s %s %s", p.alert, p.check, what)
			do(p)
		}
	}
	each("is well before", func(p play) {
		m.await(p.alert+" fires before the incident", nil, func() bool { return !m.firing(p.alert, p.check) })
	})
	each("begins", func(p play) { p.begin() })
	each("fires", func(p play) {
		m.await(p.alert+" does not fire", p.again, func() bool { return m.firing(p.alert, p.check) })
	})
	each("ends", func(p play) { p.end() })
	each("clears", func(p play) {
		m.await(p.alert+" does not clear", nil, func() bool { return !m.firing(p.alert, p.check) })
	})
}

// A real agent is scraped by a real Prometheus: every alert fires in its incident and
// clears after it, and every query of the dashboard has data. The agent observes first,
// and repairs then.
func TestIncidents(t *testing.T) {
	n := newNode(t)
	newMonitor(t, n.dir)
	m := monitor{t}
	do := func(script string) func() { return func() { t.Helper(); sh(t, script) } }
	rogue := n.path("conf/05-rogue.conflist")
	n.run("observe", "report")
	m.await("Prometheus has no look of the agent", nil, func() bool { return len(m.query("cni_guard_last_look_timestamp_seconds")) > 0 })

	// The node is broken, and the agent reports it.
	observed := []play{
		{alert: "CniGuardLoopbackDown", begin: do("ip link set lo down"), end: do("ip link set lo up")},
		{
			alert: "CniGuardForwardingOff", check: "ip-forwarding",
			begin: do("echo 0 >/proc/sys/net/ipv4/ip_forward"), end: do("echo 1 >/proc/sys/net/ipv4/ip_forward"),
		},
		// Without the rule for IPv4 Prometheus could not scrape either.
		{
			alert: "CniGuardRoutingRulesLost", check: "routing-rules",
			begin: do("ip -6 rule delete lookup main"), end: do("ip -6 rule add pref 32766 lookup main"),
		},
		{
			alert: "CniGuardWrongConfiguration", check: "conflist",
			begin: func() {
				write(t, rogue, `{"cniVersion": "1.0.0", "name": "rogue", "plugins": [{"type": "bridge", "bridge": "br0"}]}`)
			},
			end: do("rm " + rogue),
		},
		{
			alert: "CniGuardFinding", check: "address-overlap",
			begin: do("ip link add br9 type bridge; ip link set br9 up; ip address add 10.244.1.200/32 dev br9"), end: do("ip link delete br9"),
		},
	}
	m.act(observed...)
	blind := []play{
		{ // what ADD recorded cannot be read
			alert: "CniGuardCheckUnknown", check: "ip-forwarding",
			begin: do("mv /run/cni-guard/live /run/cni-guard/moved; touch /run/cni-guard/live"),
			end:   do("rm /run/cni-guard/live; mv /run/cni-guard/moved /run/cni-guard/live"),
		},
		{alert: "CniGuardLooksStale", begin: func() { n.limitFiles(true) }, end: func() { n.limitFiles(false) }},
	}
	m.act(blind[0])
	m.act(blind[1])

	// The agent is gone, and comes back with the profile repair, which the API server forbids
	// to write.
	gone := []play{
		{alert: "CniGuardAgentDown", begin: n.kill, end: func() {
			n.api.forbids.Store(true)
			n.run("repair", "enforce")
		}},
		{alert: "CniGuardNoAgents", begin: func() {}, end: func() {}},
	}
	m.act(gone...)

	// Something undoes what the agent does, or prevents it. /proc is mounted a second time,
	// for the incident to get by.
	sh(t, "mkdir "+n.path("proc")+" && mount -t proc proc "+n.path("proc"))
	t.Cleanup(func() { _ = exec.Command("umount", n.path("proc")).Run() })
	rewrite := func() { write(t, n.path("conf/10-net.conflist"), unguarded) }
	contested := []play{
		{
			alert: "CniGuardReportsFailing", begin: func() {}, end: func() { n.api.forbids.Store(false) },
			again: func() { // the pauses between attempts grow
				if len(m.query("sum(cni_guard_kubernetes_requests_total) > 5")) > 0 {
					n.run("repair", "enforce")
				}
			},
		},
		{alert: "CniGuardRepairedAgainAndAgain", check: "host-loopback", begin: func() {}, again: do("ip link set lo down"), end: func() {}},
		{alert: "CniGuardConfContested", begin: rewrite, again: rewrite, end: func() {}},
		{
			alert: "CniGuardRepairFailed", check: "ip-forwarding",
			begin: do("mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys; echo 0 >" + n.path("proc/sys/net/ipv4/ip_forward")),
			end:   do("umount /proc/sys"),
		},
	}
	m.act(contested...)
	sh(t, n.bin+"/guardctl tunnels warm --kinds vxlan") // the agent shows what any of us has found out about peers
	m.dashboard()

	var played []string
	for _, p := range slices.Concat(observed, blind, gone, contested) {
		played = append(played, p.alert)
	}
	for _, alert := range alertNames(t) {
		if !slices.Contains(played, alert) {
			t.Errorf("%s has no incident here", alert)
		}
	}
}
