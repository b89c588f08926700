// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// A fakeNode is a node whose checks have the outcomes that a test sets.
type fakeNode struct {
	mu       sync.Mutex
	outcomes map[string]guard.Outcome
	full     int
	quick    []string
	panics   bool
	err      error
	actions  []ConfAction
	acts     []time.Time
	records  []Incident
	earlier  []Incident    // recorded by another agent
	takes    time.Duration // a full look
}

func (n *fakeNode) Look(_ context.Context, names ...string) (guard.Report, error) {
	if len(names) == 0 {
		time.Sleep(n.takes)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.panics {
		panic("a check is broken")
	}
	if len(names) == 0 {
		n.full++
	}
	n.quick = append(n.quick, names...)
	var r guard.Report
	for _, name := range []string{"host-loopback", "ip-forwarding", "bridge-port", "conflist"} {
		if o, ok := n.outcomes[name]; ok && (len(names) == 0 || slices.Contains(names, name)) {
			o.Check = name
			r.Outcomes = append(r.Outcomes, o)
		}
	}
	return r, n.err
}

func (n *fakeNode) Keep(_ context.Context, act bool) ([]ConfAction, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := slices.Clone(n.actions)
	if act && len(all) > 0 {
		n.acts = append(n.acts, time.Now())
	}
	for i := range all {
		if act {
			all[i].Result = "done"
		}
	}
	return all, nil
}

func (n *fakeNode) Dirs() []string { return nil }

func (n *fakeNode) Record(i Incident) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.records = append(n.records, i)
}

func (n *fakeNode) Recall() []Incident { return n.earlier }

func (n *fakeNode) TunnelPeers() map[string]int { return nil }

// set changes the outcome of a check.
func (n *fakeNode) set(check string, state guard.State, findings ...guard.Finding) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.outcomes[check] = guard.Outcome{State: state, Policy: guard.Warn, Findings: findings, RepairTried: state == guard.Repaired}
}

// A fakeKernel reports what a test sends.
type fakeKernel struct {
	changes chan []netstate.Change
	links   []netstate.Link
}

func (k *fakeKernel) WatchChanges(context.Context) (<-chan []netstate.Change, error) {
	return k.changes, nil
}

func (k *fakeKernel) WatchRuleset(context.Context) (<-chan []netstate.Change, error) {
	return nil, errors.New("operation not permitted")
}

func (k *fakeKernel) Links() ([]netstate.Link, error) { return k.links, nil }

type noFiles struct{}

func (noFiles) Run(context.Context) {}
func (noFiles) Check()              {}

// run starts an agent in a bubble.
func run(t *testing.T, opt Options) (*Agent, *fakeNode, *fakeKernel) {
	t.Helper()
	n := &fakeNode{outcomes: map[string]guard.Outcome{}}
	n.set("host-loopback", guard.Passed)
	n.set("bridge-port", guard.Passed)
	k := &fakeKernel{changes: make(chan []netstate.Change), links: []netstate.Link{
		{Name: "lo", Index: 1, Up: true}, {Name: "br0", Index: 2, Kind: "bridge", Up: true}, {Name: "veth1", Index: 3, Kind: "veth", Up: true, Master: 2},
	}}
	opt.Node, opt.Kernel, opt.Log, opt.IDs = n, k, slog.New(slog.DiscardHandler), map[string]string{"host-loopback": "CG105"}
	if opt.Profile == "" {
		opt.Profile, opt.Keep = Repair, KeepReport
	}
	a := New(opt)
	a.files = noFiles{} // inotify cannot run in a bubble
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		a.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-ended })
	time.Sleep(5 * time.Second)
	synctest.Wait()
	return a, n, k
}

func down() guard.Finding { return guard.Finding{Object: "node/lo", Problem: "is down"} }

// A finding is an incident at once, the problem of the node after 15 s, and that until a
// minute after it is gone. An unknown in between changes nothing.
func TestHoldDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, n, k := run(t, Options{})
		lo := func() {
			k.changes <- []netstate.Change{{Kind: netstate.LinkChanged, Link: netstate.Link{Name: "lo", Index: 1}}}
		}
		problem := func() bool { synctest.Wait(); return a.Status().Problem != nil }
		n.set("host-loopback", guard.Failed, down())
		lo()
		synctest.Wait()
		if s := a.Status(); s.Loopback != "down" || len(s.Incidents) != 1 || s.Problem != nil {
			t.Fatalf("at once: %+v", s)
		}
		time.Sleep(holdDown - time.Second)
		if problem() {
			t.Error("a problem before the hold-down is over")
		}
		time.Sleep(2 * time.Second)
		if !problem() || a.Status().Problem.Reason() != "HostLoopback" {
			t.Fatalf("no problem after the hold-down: %+v", a.Status().Problem)
		}
		n.set("host-loopback", guard.Unknown)
		lo()
		time.Sleep(2 * holdUp)
		if !problem() {
			t.Error("an unknown has ended the problem")
		}
		n.set("host-loopback", guard.Passed)
		lo()
		synctest.Wait()
		if s := a.Status(); s.Incidents[0].Ended.IsZero() || s.Loopback != "up" {
			t.Errorf("gone: %+v", s.Incidents)
		}
		time.Sleep(holdUp - time.Second)
		if !problem() {
			t.Error("the problem has ended too early")
		}
		time.Sleep(2 * time.Second)
		if problem() {
			t.Errorf("the problem stays: %+v", a.Status().Problem)
		}
	})
}

// An observer of a lo that stays down for ten minutes says so all the time, and does nothing
// else: one incident, one problem.
func TestObservesForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, n, k := run(t, Options{Profile: Observe, Keep: KeepReport})
		n.set("host-loopback", guard.Failed, down())
		k.changes <- []netstate.Change{{Kind: netstate.LinkChanged, Link: netstate.Link{Name: "lo", Index: 1}}}
		time.Sleep(holdDown + time.Second)
		for range 60 {
			time.Sleep(10 * time.Second)
			synctest.Wait()
			if s := a.Status(); s.Loopback != "down" || s.Problem == nil || s.Problem.Check != "host-loopback" || len(s.Incidents) != 1 || !s.Incidents[0].Ended.IsZero() {
				t.Fatalf("lo %s, problem %+v, incidents %+v", s.Loopback, s.Problem, s.Incidents)
			}
		}
		if len(n.records) != 1 {
			t.Errorf("recorded %d times", len(n.records))
		}
	})
}

// Nothing that the agent waits for depends on the clock of the wall: each time that it
// compares has the reading of the monotonic clock, which is lost if a time is rounded,
// converted or parsed. So a clock that is set neither ends nor delays a hold-down.
func TestMonotonic(t *testing.T) {
	a := New(Options{Node: &fakeNode{}, Log: slog.New(slog.DiscardHandler), Profile: Repair, Keep: KeepEnforce})
	a.apply(guard.Report{Outcomes: []guard.Outcome{{Check: "host-loopback", State: guard.Failed, Findings: []guard.Finding{down()}}}}, nil, time.Now(), true)
	a.request(classConf)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.due.ran(classConf, time.Now())
	a.throttle(time.Now())
	settles, _ := a.checks["host-loopback"].settles()
	for what, at := range map[string]time.Time{
		"the hold-down": settles, "the look that a state comes from": a.checks["host-loopback"].began, "the next look": a.due.due[classConf],
		"the last look": a.due.last[classConf], "the last action": a.conf.last, "the last full look": a.status.Looks.LastFull, "an incident": a.status.Incidents[0].Began,
	} {
		if !strings.Contains(at.String(), " m=") {
			t.Errorf("%s has no monotonic reading: %s", what, at)
		}
	}
}

// What an agent that was killed has recorded is shown by the next one. A finding that
// lasts is the same incident; one that went in between has ended.
func TestRecalls(t *testing.T) {
	began := time.Now().Add(-time.Hour)
	n := &fakeNode{outcomes: map[string]guard.Outcome{}, earlier: []Incident{
		{Began: began, Check: "host-loopback", Object: "node/lo", Problem: "is down", Count: 1},
		{Began: began, Check: "ip-forwarding", Object: "node", Problem: "does not forward", Count: 1},
		{Began: began, Check: "bridge-port", Object: "node/veth1", Problem: "is no port", Count: 1},
		{Began: began, Ended: began, Check: "conflist", Object: "/x", Repaired: true, Count: 3},
	}}
	n.set("host-loopback", guard.Failed, down())
	n.set("ip-forwarding", guard.Passed)
	a := New(Options{Node: n, Log: slog.New(slog.DiscardHandler)})
	if _, err := a.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	lasts := map[string]bool{}
	for _, i := range a.Status().Incidents {
		if !i.Began.Equal(began) {
			t.Errorf("a new incident: %+v", i)
		}
		lasts[i.Check] = i.Ended.IsZero()
	}
	if len(lasts) != 4 || !lasts["host-loopback"] || lasts["ip-forwarding"] || lasts["bridge-port"] {
		t.Errorf("which last: %v", lasts)
	}
	if len(n.records) != 1 || n.records[0].Check != "ip-forwarding" {
		t.Errorf("recorded %+v", n.records)
	}
}

// Lost changes lead to a full look; so does each minute; and a panic ends nothing.
func TestFullLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, n, k := run(t, Options{})
		before := n.full
		k.changes <- []netstate.Change{{Kind: netstate.ChangesLost}}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n.full != before+1 || a.Status().Watches[0].Dropped != 1 {
			t.Errorf("%d full looks after changes were lost, %+v", n.full-before, a.Status().Watches)
		}
		before = n.full
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if looks := n.full - before; looks < 9 || looks > 12 {
			t.Errorf("%d full looks in ten minutes", looks)
		}
		n.mu.Lock()
		n.panics = true
		n.mu.Unlock()
		time.Sleep(2 * time.Minute)
		n.mu.Lock()
		n.panics = false
		n.mu.Unlock()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if s := a.Status(); s.Counters.Panics == 0 || s.Error != "" {
			t.Errorf("after a panic: %+v, error %q", s.Counters, s.Error)
		}
	})
}

// A pod that goes takes its veth off the bridge and is gone: nothing is looked at. A veth
// that stays is looked at after 20 ms.
func TestPorts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, n, k := run(t, Options{})
		off := netstate.Change{Kind: netstate.LinkChanged, Link: netstate.Link{Name: "veth1", Index: 3, Kind: "veth"}}
		gone := off
		gone.Gone = true
		looked := func() int {
			n.mu.Lock()
			defer n.mu.Unlock()
			return len(n.quick)
		}
		before := looked()
		k.changes <- []netstate.Change{off, gone}
		time.Sleep(time.Second)
		synctest.Wait()
		if looked() != before {
			t.Errorf("looked at %v for a pod that went", n.quick)
		}
		k.changes <- []netstate.Change{{Kind: netstate.LinkChanged, Link: netstate.Link{Name: "veth2", Index: 4, Kind: "veth", Up: true, Master: 2}}}
		off.Link.Index = 4
		k.changes <- []netstate.Change{off}
		time.Sleep(21 * time.Millisecond)
		synctest.Wait()
		if looked() == before {
			t.Error("a port that was lost is not looked at")
		}
	})
}

// Something that is repaired again and again is one incident with a count, and is recorded
// the first, tenth and hundredth time.
func TestRepeatedRepairs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, n, k := run(t, Options{})
		n.set("host-loopback", guard.Repaired, down())
		for range 150 {
			k.changes <- []netstate.Change{{Kind: netstate.LinkChanged, Link: netstate.Link{Name: "lo", Index: 1}}}
			time.Sleep(time.Second)
		}
		synctest.Wait()
		s := a.Status()
		if len(s.Incidents) != 1 || s.Incidents[0].Count < 150 || len(n.records) != 3 {
			t.Errorf("incidents %+v, %d records", s.Incidents, len(n.records))
		}
		if c := s.Check("host-loopback"); c.Repaired < 150 || c.State != "passed" {
			t.Errorf("%+v", c)
		}
	})
}

// A fight about the conf dir is fought 20 times at once, a hundred times with a second between,
// and then more and more slowly.
func TestThrottle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, n, _ := run(t, Options{Profile: Repair, Keep: KeepEnforce})
		n.mu.Lock()
		n.actions = []ConfAction{{Action: "reinsert", File: "/x"}}
		n.mu.Unlock()
		began := time.Now()
		for time.Since(began) < 30*time.Minute {
			a.filesChanged(false)
			time.Sleep(200 * time.Millisecond)
		}
		synctest.Wait()
		n.mu.Lock()
		acts := slices.Clone(n.acts)
		n.actions = nil
		n.mu.Unlock()
		if len(acts) < 125 || len(acts) > 145 || acts[19].Sub(began) > 10*time.Second || acts[119].Sub(began) > 3*time.Minute {
			t.Fatalf("%d actions in half an hour: %s", len(acts), acts[len(acts)-1].Sub(began))
		}
		if s := a.Status().Conf; s.Until.IsZero() {
			t.Errorf("not throttled: %+v", s)
		}
		time.Sleep(throttleQuiet + 2*time.Minute)
		synctest.Wait()
		if s := a.Status().Conf; s.InARow != 0 {
			t.Errorf("still throttled after ten quiet minutes: %+v", s.InARow)
		}
	})
}

// A rogue file does not wait for a look that takes its time.
func TestKeepsDuringLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNode{outcomes: map[string]guard.Outcome{}, takes: time.Minute}
		a := New(Options{Profile: Repair, Keep: KeepEnforce, Node: n, Kernel: &fakeKernel{changes: make(chan []netstate.Change)}, Log: slog.New(slog.DiscardHandler)})
		a.files = noFiles{}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			a.Run(ctx)
		}()
		defer func() { cancel(); <-ended }()
		time.Sleep(time.Second) // within the first look
		n.mu.Lock()
		n.actions = []ConfAction{{Action: "quarantine", File: "/x"}}
		n.mu.Unlock()
		changed := time.Now()
		a.filesChanged(false)
		time.Sleep(10 * time.Millisecond)
		n.mu.Lock()
		acts := slices.Clone(n.acts)
		n.mu.Unlock()
		if len(acts) == 0 || acts[0].Sub(changed) > 2*time.Millisecond {
			t.Errorf("acted at %v after a change at %v", acts, changed)
		}
	})
}

// With keep report nothing is done, and each thing is reported once.
func TestReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, n, _ := run(t, Options{Profile: Repair, Keep: KeepReport})
		n.mu.Lock()
		n.actions = []ConfAction{{Action: "quarantine", File: "/x"}}
		n.mu.Unlock()
		for range 10 {
			a.filesChanged(false)
			time.Sleep(time.Minute)
		}
		synctest.Wait()
		if got := a.Status().Counters.ConfActions["quarantine"]["reported"]; got != 1 || len(n.acts) != 0 {
			t.Errorf("reported %d times, %d actions", got, len(n.acts))
		}
	})
}

// A full look that began before a quick one does not undo what that found.
func TestOrderOfLooks(t *testing.T) {
	a := New(Options{Node: &fakeNode{}, Log: slog.New(slog.DiscardHandler)})
	early := time.Now()
	late := early.Add(time.Second)
	outcome := func(s guard.State, f ...guard.Finding) guard.Report {
		return guard.Report{Outcomes: []guard.Outcome{{Check: "host-loopback", State: s, Findings: f}}}
	}
	a.apply(outcome(guard.Failed, down()), nil, late, false)
	a.apply(outcome(guard.Passed), nil, early, true)
	if s := a.Status(); s.Loopback != "down" {
		t.Errorf("lo is %s", s.Loopback)
	}
}

// What a full look repairs is recorded, although a quick look, which the repair itself let
// begin, has overtaken it.
func TestOvertakenRepair(t *testing.T) {
	n := &fakeNode{}
	a := New(Options{Node: n, Log: slog.New(slog.DiscardHandler)})
	early := time.Now()
	report := func(o guard.Outcome) guard.Report {
		o.Check = "host-loopback"
		return guard.Report{Outcomes: []guard.Outcome{o}}
	}
	a.apply(report(guard.Outcome{State: guard.Passed}), nil, early.Add(time.Second), false)
	a.apply(report(guard.Outcome{State: guard.Repaired, RepairTried: true, Findings: []guard.Finding{down()}}), nil, early, true)
	s := a.Status()
	if len(n.records) != 1 || !n.records[0].Repaired || len(s.Incidents) != 1 || s.Checks[0].Repaired != 1 || s.Loopback != "up" {
		t.Errorf("recorded %+v; lo is %s, incidents %+v, checks %+v", n.records, s.Loopback, s.Incidents, s.Checks)
	}
}
