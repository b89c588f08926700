// SPDX-License-Identifier: Apache-2.0

package checktest

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/guard"
)

// up is a sound check, to plant faults into.
func up() *checks.Check {
	return &checks.Check{
		Name: "up",
		When: guard.Add | guard.Verify,
		Probe: func(_ context.Context, t *checks.Target) ([]guard.Finding, error) {
			link, err := t.Pod.Link("eth0")
			if errors.Is(err, fs.ErrNotExist) {
				return nil, nil
			}
			if err != nil || link.Up {
				return nil, err
			}
			return []guard.Finding{{Object: "pod/eth0", Problem: "is down"}}, nil
		},
		Repair: func(_ context.Context, t *checks.Target) error { return t.Pod.SetUp("eth0") },
	}
}

const (
	downFixture = `
-- pod --
link eth0 index 2
-- pod.repaired --
link eth0 index 2 up
-- want --
pod/eth0 is down
-- setup --
ip link add veth7 type veth peer name eth0 netns pod
`
	upFixture = `
-- pod --
link eth0 index 2 up
-- want --
-- setup --
ip link add veth7 type veth peer name eth0 netns pod
ip -n pod link set eth0 up
`
	unreadableFixture = `
-- pod --
fail Link = no buffer space
-- want --
unknown: no buffer
`
)

// Each fault that somebody may make in a check must turn a fixture red.
func TestHarnessSeesPlantedFaults(t *testing.T) {
	for name, c := range map[string]struct {
		plant   func(*checks.Check)
		fixture string
		want    string // part of the error; "" for none
	}{
		"none, down":       {func(*checks.Check) {}, downFixture, ""},
		"none, up":         {func(*checks.Check) {}, upFixture, ""},
		"none, unreadable": {func(*checks.Check) {}, unreadableFixture, ""},
		"sees nothing": {func(c *checks.Check) {
			c.Probe = func(context.Context, *checks.Target) ([]guard.Finding, error) { return nil, nil }
		}, downFixture, "the check says\n\ta pass"},
		"sees what is not there": {func(c *checks.Check) {
			c.Probe = func(context.Context, *checks.Target) ([]guard.Finding, error) {
				return []guard.Finding{{Object: "pod/eth0", Problem: "is down"}}, nil
			}
		}, upFixture, "the check says\n\tpod/eth0 is down"},
		"swallows the error": {func(c *checks.Check) {
			probe := c.Probe
			c.Probe = func(ctx context.Context, t *checks.Target) ([]guard.Finding, error) {
				findings, _ := probe(ctx, t)
				return findings, nil
			}
		}, unreadableFixture, "the check says\n\ta pass"},
		"says another error": {func(c *checks.Check) {
			c.Probe = func(context.Context, *checks.Target) ([]guard.Finding, error) { return nil, errors.New("oh") }
		}, unreadableFixture, "unknown: oh"},
		"skips": {func(c *checks.Check) {
			c.Probe = func(context.Context, *checks.Target) ([]guard.Finding, error) {
				return nil, guard.Skip("there is no eth0")
			}
		}, upFixture, "the check says\n\tskipped: skipped: there is no eth0"},
		"skips for another reason": {func(c *checks.Check) {
			c.Probe = func(context.Context, *checks.Target) ([]guard.Finding, error) {
				return nil, guard.Skip("there is no eth0")
			}
		}, "-- want --\nskipped: no eth1\n", "and not\n\tskipped: no eth1"},
		"panics": {func(c *checks.Check) {
			c.Probe = func(context.Context, *checks.Target) ([]guard.Finding, error) { panic("oh") }
		}, downFixture, "panicked"},
		"idle repair": {func(c *checks.Check) {
			c.Repair = func(context.Context, *checks.Target) error { return nil }
		}, downFixture, "after the repair the check has failed"},
		"no repair": {func(c *checks.Check) { c.Repair = nil }, downFixture, "the check has no repair"},
		"repair does more": {func(c *checks.Check) {
			c.Repair = func(_ context.Context, t *checks.Target) error {
				return errors.Join(t.Pod.SetUp("eth0"), t.Node.AddAddr("lo", checksAddr))
			}
		}, downFixture, "after the repair: the namespace of the node is"},
		"probe changes something": {func(c *checks.Check) {
			probe := c.Probe
			c.Probe = func(ctx context.Context, t *checks.Target) ([]guard.Finding, error) {
				findings, err := probe(ctx, t)
				return findings, errors.Join(err, t.Node.AddAddr("lo", checksAddr))
			}
		}, upFixture, "the probe changed something"},
		"repairs what the fixture says it cannot": {func(*checks.Check) {},
			strings.Replace(downFixture, "-- pod.repaired --\nlink eth0 index 2 up\n", "", 1), "has repaired, not failed"},
		"minor for serious": {func(c *checks.Check) {
			c.Probe = func(context.Context, *checks.Target) ([]guard.Finding, error) {
				return []guard.Finding{{Object: "pod/eth0", Problem: "is down", Minor: true}}, nil
			}
		}, downFixture, "the check says\n\tminor: pod/eth0 is down"},
		"misspelt option":   {func(*checks.Check) {}, "-- target --\noptions = {\"polcy\": \"warn\"}\n" + upFixture, "polcy"},
		"another stage":     {func(*checks.Check) {}, "-- stage --\nDEL\n" + upFixture, "runs at ADD, CHECK only"},
		"repaired on CHECK": {func(*checks.Check) {}, "-- stage --\nCHECK\n" + downFixture, "nothing is repaired at CHECK"},
	} {
		t.Run(name, func(t *testing.T) {
			check := up()
			c.plant(check)
			expect(t, mustLoad(t, c.fixture).onFake(check), c.want)
		})
	}
}

// What the fake alone cannot see.
func TestReplaySeesPlantedFaults(t *testing.T) {
	for name, c := range map[string]struct {
		plant         func(*checks.Check)
		fixture, want string
	}{
		"none":           {func(*checks.Check) {}, downFixture, ""},
		"setup does not": {func(*checks.Check) {}, upFixture + "ip -n pod link set eth0 down\n", "the check says\n\tpod/eth0 is down"},
		"setup fails":    {func(*checks.Check) {}, upFixture + "ip -n pod link set eth9 down\n", "eth9"},
		"other netns":    {func(*checks.Check) {}, upFixture + "umount $NETNS\n", "no namespace \"is an empty file"},
		"same cookie":    {func(*checks.Check) {}, "-- target --\nrecorded = other\n" + upFixture, "the target says other"},
		"fake only":      {func(*checks.Check) {}, "-- target --\ncookie = oh\n" + upFixture, "only the fake can have"},
		"idle repair": {func(c *checks.Check) {
			c.Repair = func(context.Context, *checks.Target) error { return nil }
		}, downFixture, "after the repair the check has failed"},
	} {
		t.Run(name, func(t *testing.T) {
			if os.Getenv(replaying) == "" {
				inNode(t)
				return
			}
			check := up()
			c.plant(check)
			expect(t, mustLoad(t, c.fixture).onKernel(check), c.want)
		})
	}
}

func expect(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("the harness says %v of a sound check", err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("the harness says %v, want an error with %q", err, want)
	}
}
