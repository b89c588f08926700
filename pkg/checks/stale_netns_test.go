// SPDX-License-Identifier: Apache-2.0

package checks_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// What the plugins before the guard left on the node concerns an ADD only: before a DEL
// none of them has acted.
func TestHostNetnsRemedyMatchesStage(t *testing.T) {
	for stage, want := range map[guard.Stage]bool{guard.Add: true, guard.Del: false, guard.Verify: false} {
		target := &checks.Target{Netns: &netstate.Netns{Path: "/run/netns/cni-1", Kind: netstate.Node}, Adding: stage == guard.Add}
		check := *checks.HostNetns
		check.Needs = nil
		o := guard.Run(t.Context(), []*checks.Check{&check}, stage, guard.Settings{}, target).Outcomes[0]
		if got := strings.Contains(o.Advice(), "ip link"); o.State != guard.Failed || got != want {
			t.Errorf("%s: state %v, advice %q", stage, o.State, o.Advice())
		}
	}
}

// A remedy speaks of process IDs for a path below /proc only, and of mounts for a
// pinned path only.
func TestNetnsRemedyMatchesPath(t *testing.T) {
	trouble := errors.New("the lamp is out")
	for name, c := range map[string]struct {
		check *checks.Check
		stage guard.Stage
		kind  netstate.Kind
	}{
		"host":     {checks.HostNetns, guard.Add, netstate.Node},
		"foreign":  {checks.ForeignNetns, guard.Del, netstate.Sandbox},
		"missing":  {checks.StaleNetns, guard.Add, netstate.Missing},
		"no netns": {checks.StaleNetns, guard.Add, netstate.NotNetns},
	} {
		for path, ofProc := range map[string]bool{
			"/run/netns/cni-1": false, "/var/run/netns/cni-1": false, "/var/run/docker/netns/x": false, "/proc/4711/ns/net": true,
		} {
			target := &checks.Target{
				Netns: &netstate.Netns{Path: path, Kind: c.kind}, IfName: "eth0", Recorded: 1,
				Cookie: func() (uint64, error) { return 2, nil },
				Pod:    netstate.Unreadable{Err: trouble}, Node: netstate.Unreadable{Err: trouble},
			}
			check := *c.check
			check.Needs = nil
			o := guard.Run(t.Context(), []*checks.Check{&check}, c.stage, guard.Settings{}, target).Outcomes[0]
			remedies := strings.Join(o.Remedies(), " ")
			if o.State != guard.Failed || len(o.Findings) != 1 || o.Findings[0].Remedy == "" {
				t.Fatalf("%s, %s: state %v, findings %v", name, path, o.State, o.Findings)
			}
			pids := strings.Contains(remedies, "pid_max") || strings.Contains(remedies, "process")
			mounts := strings.Contains(remedies, "mount")
			if pids != ofProc || mounts == ofProc {
				t.Errorf("%s, %s: %s", name, path, remedies)
			}
		}
	}
}
