// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/pkg/agent"
	"github.com/cni-guard/cni-guard/pkg/checktest"
)

// jump sets the clock of the machine.
func jump(t *testing.T, by time.Duration) {
	t.Helper()
	now := unix.NsecToTimespec(time.Now().Add(by).UnixNano())
	if err := unix.ClockSettime(unix.CLOCK_REALTIME, &now); err != nil {
		t.Fatal(err)
	}
}

// A clock that is set by hours, as NTP does after a boot without a battery, delays nothing:
// lo is repaired, a finding becomes a problem of the node after its hold-down and ends after
// its own, and no incident is lost.
func TestClockJumps(t *testing.T) {
	if os.Getenv("CNI_GUARD_KERNEL") != "vm" {
		t.Skip("sets the clock, for which it needs a machine of its own: make test-vm")
	}
	r := newRig(t, "--profile", "repair", "--look-every", "10s")
	process, _ := r.start()
	r.ready(process.Pid)
	jumps := uint64(0)
	jumpBy := func(by time.Duration) {
		t.Helper()
		jump(t, by)
		checktest.Shell(t, "ip link set lo down")
		r.await("lo is up", loIsUp)
		jumps++
		r.await("the repair is counted", func() bool { c := r.status().Check("host-loopback"); return c != nil && c.Repaired == jumps })
	}
	hasProblem := func() (answers, has bool) {
		s := r.status()
		return s.PID == process.Pid, s.Problem != nil && strings.Contains(s.Problem.Message, "conflist")
	}

	jumpBy(3 * time.Hour)
	looks := r.status().Looks.Full
	r.await("another full look", func() bool { return r.status().Looks.Full > looks })
	if last := r.status().Looks.LastFull; time.Since(last).Abs() > time.Hour {
		t.Errorf("the last look was at %s, and it is %s", last, time.Now())
	}
	r.write("conf/05-rogue.conflist", strings.Replace(conf, "net", "rogue", 1))
	r.await("the rogue is found", func() bool { c := r.status().Check("conflist"); return c != nil && c.State == "failed" })
	jumpBy(-9 * time.Hour)
	r.await("the node has a problem", func() bool { _, has := hasProblem(); return has })
	if err := os.Remove(r.path("conf/05-rogue.conflist")); err != nil {
		t.Fatal(err)
	}
	r.await("the finding is gone", func() bool { c := r.status().Check("conflist"); return c != nil && c.State == "passed" })
	jumpBy(6 * time.Hour)
	r.await("the problem is gone", func() bool { answers, has := hasProblem(); return answers && !has })

	// Repairs without ten quiet minutes in between are one incident.
	incidents := slices.DeleteFunc(r.status().Incidents, func(i agent.Incident) bool { return i.Check != "host-loopback" })
	if len(incidents) != 1 || incidents[0].Count != jumps {
		t.Errorf("the incidents of lo are %+v, want one with a count of %d", incidents, jumps)
	}
	events := r.read("state/events.jsonl")
	for _, text := range []string{"repaired: host-loopback: node/lo is down", `"msg":"conflist: `, `"msg":"gone: conflist: `} {
		if strings.Count(events, text) != 1 {
			t.Errorf("not one event says %q:\n%s", text, events)
		}
	}
}
