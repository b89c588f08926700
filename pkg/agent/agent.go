// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/cni-guard/cni-guard/pkg/dirwatch"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// A Node is the node as the agent uses it. Look and Keep may be called by two goroutines at
// once.
type Node interface {
	// Look runs the checks of these names, or all that need no pod, and repairs what they
	// can repair if the profile allows that. Names that it does not know are skipped.
	Look(ctx context.Context, names ...string) (guard.Report, error)
	// Keep returns what is to be done to keep the conf dir, and does it if act is true.
	Keep(ctx context.Context, act bool) ([]ConfAction, error)
	// Dirs returns the directories whose changes call for a look: the conf dir first, then
	// those of the plugins.
	Dirs() []string
	// Record stores an incident where it outlives the agent.
	Record(Incident)
	// Recall returns the incidents of the last day that were recorded before, the newest
	// first. It is called once, after the first full look.
	Recall() []Incident
	// TunnelPeers counts the peers of tunnels by the state of the last probe; nil if there
	// are none.
	TunnelPeers() map[string]int
}

// A Kernel reports changes. *netstate.Live is one.
type Kernel interface {
	WatchChanges(context.Context) (<-chan []netstate.Change, error)
	WatchRuleset(context.Context) (<-chan []netstate.Change, error)
	Links() ([]netstate.Link, error)
}

// Options configure an agent.
type Options struct {
	Profile Profile
	Keep    Keep
	Node    Node
	Kernel  Kernel
	// LookEvery is the time between two full looks, of which each is up to a tenth earlier
	// or later, so that the nodes of a cluster do not look all at once. Zero: a minute.
	LookEvery time.Duration
	// IDs are the IDs of the checks by name.
	IDs map[string]string
	Log *slog.Logger
	// Changed is called whenever the status may have changed. It must not block; nil: none.
	Changed func()
}

// How long a finding lasts before it is the node's problem, and how long it is gone before
// the node is well again. Metrics and incidents do not wait.
const (
	holdDown = 15 * time.Second
	holdUp   = time.Minute
)

// lookTime bounds a look as a whole; each check has its own deadline.
const lookTime = 2 * time.Minute

// An Agent looks after a node. Use New.
type Agent struct {
	opt Options

	mu     sync.Mutex
	status Status // without Checks
	order  []string
	checks map[string]*check
	conf   confState
	due    dueTimes // of the classes of looks

	recalled sync.Once

	wake  [laneCount]chan struct{} // due has changed
	files fileWatch
}

// A fileWatch reports changes in the directories of the node. A *dirwatch.Watch is one.
type fileWatch interface {
	Run(context.Context)
	Check() // the directories may be others by now
}

// New returns an agent that does nothing until Run.
func New(opt Options) *Agent {
	if opt.LookEvery == 0 {
		opt.LookEvery = time.Minute
	}
	if opt.Changed == nil {
		opt.Changed = func() {}
	}
	a := &Agent{
		opt: opt, checks: map[string]*check{}, due: newDueTimes(),
		status: Status{Profile: opt.Profile, Keep: opt.Keep, Started: time.Now(), Loopback: "unknown"},
	}
	for l := range a.wake {
		a.wake[l] = make(chan struct{}, 1)
	}
	a.status.Counters.ConfActions = map[string]map[string]uint64{}
	for _, source := range []string{sourceNetlink, sourceNftables, sourceFiles} {
		a.status.Watches = append(a.status.Watches, WatchStatus{Source: source, Why: "not started yet"})
	}
	a.files = dirwatch.New(opt.Node.Dirs, a.filesChanged, func(events bool, err error) { a.setWatch(sourceFiles, events, err) })
	return a
}

// The sources of changes.
const (
	sourceNetlink  = "netlink"
	sourceNftables = "nftables"
	sourceFiles    = "files"
)

// Run watches the node until ctx ends. No error of the kernel or of a file ends it.
func (a *Agent) Run(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() { a.files.Run(ctx) })
	all.Go(func() { a.work(ctx) })
	all.Go(func() { a.keepConf(ctx) })
	all.Go(func() { a.watchRuleset(ctx) })
	a.request(classFull)
	a.watchKernel(ctx)
}

// Once makes one full look.
func (a *Agent) Once(ctx context.Context) (guard.Report, error) {
	report, err := a.look(ctx, classFull)
	return report, err
}

// watchKernel is the loop that mends within milliseconds: it reads the changes of the
// kernel and makes the quick looks.
func (a *Agent) watchKernel(ctx context.Context) {
	var changes <-chan []netstate.Change
	var links linkTable
	var subscribed time.Time
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		if changes == nil && (subscribed.IsZero() || time.Since(subscribed) >= resubscribe) {
			subscribed = time.Now()
			var err error
			changes, err = a.opt.Kernel.WatchChanges(ctx)
			a.setWatch(sourceNetlink, err == nil, err)
			links = a.listLinks()
			a.request(classFull) // what changed before is not reported
		}
		a.runDue(ctx, laneQuick)
		timer.Reset(min(a.nextDue(laneQuick), resubscribe))
		select {
		case batch, ok := <-changes:
			if !ok {
				changes = nil
				a.setWatch(sourceNetlink, false, errEnded)
				continue
			}
			a.kernelChanged(batch, &links)
		case <-a.wake[laneQuick]:
		case <-timer.C:
		case <-ctx.Done():
		}
	}
}

// work makes the looks that take longer, on a goroutine of its own, so that a lo that goes
// down does not wait for them.
func (a *Agent) work(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		a.runDue(ctx, laneSlow)
		a.settle()
		timer.Reset(min(a.nextDue(laneSlow), a.nextSettle()))
		select {
		case <-a.wake[laneSlow]:
		case <-timer.C:
		case <-ctx.Done():
		}
	}
}

// keepConf puts the conf dir right, on a goroutine of its own: a rogue file waits for no look.
func (a *Agent) keepConf(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		a.runDue(ctx, laneKeep)
		timer.Reset(a.nextDue(laneKeep))
		select {
		case <-a.wake[laneKeep]:
		case <-timer.C:
		case <-ctx.Done():
		}
	}
}

// watchRuleset waits for changes of nftables. Without the capability there are none, and
// the full look finds what they lead to.
func (a *Agent) watchRuleset(ctx context.Context) {
	for ctx.Err() == nil {
		changes, err := a.opt.Kernel.WatchRuleset(ctx)
		a.setWatch(sourceNftables, err == nil, err)
		if err != nil {
			pause(ctx, 10*resubscribe)
			continue
		}
		for batch := range changes {
			a.countChange(sourceNftables, lost(batch))
			a.request(classRuleset)
		}
		if ctx.Err() == nil {
			a.setWatch(sourceNftables, false, errEnded)
			pause(ctx, resubscribe)
		}
	}
}

// runDue makes the looks that are due.
func (a *Agent) runDue(ctx context.Context, l lane) {
	for ctx.Err() == nil {
		a.mu.Lock()
		c, ok := a.due.next(time.Now(), l)
		a.mu.Unlock()
		if !ok {
			return
		}
		if a.due.classes[c].keeps && a.opt.Keep != KeepOff {
			a.keep(ctx)
		}
		if c == classKeep {
			a.keep(ctx)
		} else {
			_, _ = a.look(ctx, c)
		}
		a.mu.Lock()
		a.due.ran(c, time.Now())
		if c == classFull {
			spread := float64(a.opt.LookEvery) * (0.9 + 0.2*rand.Float64())
			a.due.at(classFull, time.Now().Add(time.Duration(spread)))
		}
		a.mu.Unlock()
	}
}

// look makes a look and applies its result.
func (a *Agent) look(ctx context.Context, c classID) (guard.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	began := time.Now()
	report, err := a.protectedLook(ctx, a.due.classes[c].checks)
	if ctx.Err() != nil && err == nil {
		err = context.Cause(ctx)
	}
	if c == classFull {
		a.recalled.Do(a.recall)
	}
	a.apply(report, err, began, c == classFull)
	if c == classFull {
		a.files.Check()
	}
	return report, err
}

// protectedLook returns a panic as an error: the agent must not end because of one check.
func (a *Agent) protectedLook(ctx context.Context, names []string) (r guard.Report, err error) {
	defer a.recoverTo(&err)
	return a.opt.Node.Look(ctx, names...)
}

// request makes looks of a class due.
func (a *Agent) request(c classID) {
	a.mu.Lock()
	a.due.request(c, time.Now())
	a.mu.Unlock()
	wake(a.wake[a.due.classes[c].lane])
}

// wake makes the goroutine that reads from a channel look again.
func wake(channel chan struct{}) {
	select {
	case channel <- struct{}{}:
	default:
	}
}

func (a *Agent) nextDue(l lane) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.due.wait(time.Now(), l)
}

// pause waits, and reports whether ctx goes on.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
