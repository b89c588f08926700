// SPDX-License-Identifier: Apache-2.0

package agent

import "time"

// A classID names a class of looks.
type classID int

// The classes.
const (
	classFull classID = iota
	classLoopback
	classForwarding
	classPorts
	classRules
	classAddresses
	classTunnels
	classRuleset
	classConf
	classKeep
	classCount
)

// A lane is a goroutine that makes looks, one after the other.
type lane int

// The lanes: what mends within milliseconds, the conf dir, and what takes longer.
const (
	laneQuick lane = iota
	laneKeep
	laneSlow
	laneCount
)

// A class is the checks that one kind of change calls for.
type class struct {
	checks []string // none: all
	// delay is the time from the change to the look, in which further changes are awaited;
	// gap is the least time between two looks.
	delay, gap time.Duration
	lane       lane
	keeps      bool // the conf dir is put right before
}

// classes returns the classes. A deleted pod takes its veth off the bridge and sets it down
// some microseconds before the veth is gone: classPorts waits for that. kube-proxy commits
// to nftables all the time, and looks at the firewall are not cheap. classKeep has no checks: it
// puts the conf dir right, and must not wait for a look, as each millisecond gives pods the
// wrong network.
func classes() [classCount]class {
	return [classCount]class{
		classFull:       {lane: laneSlow, keeps: true, gap: time.Second},
		classLoopback:   {checks: []string{"host-loopback"}},
		classForwarding: {checks: []string{"ip-forwarding"}, delay: time.Millisecond, gap: 50 * time.Millisecond},
		classPorts:      {checks: []string{"bridge-port"}, delay: 20 * time.Millisecond, gap: 500 * time.Millisecond},
		classRules:      {checks: []string{"routing-rules"}, delay: 100 * time.Millisecond, gap: time.Second, lane: laneSlow},
		classAddresses:  {checks: []string{"address-overlap", "reverse-path"}, delay: time.Second, gap: 20 * time.Second, lane: laneSlow},
		classTunnels:    {checks: []string{"tunnel-peers", "overlay-path", "overlay-firewall"}, delay: time.Second, gap: 20 * time.Second, lane: laneSlow},
		classRuleset:    {checks: []string{"overlay-firewall", "bridge-netfilter"}, delay: 2 * time.Second, gap: 30 * time.Second, lane: laneSlow},
		classConf: {
			checks: []string{"conflist", "guard-placement", "chain-plugins", "conf-changes", "primary-ready"},
			delay:  10 * time.Millisecond, gap: 100 * time.Millisecond, lane: laneSlow, keeps: true,
		},
		classKeep: {delay: time.Millisecond, gap: 10 * time.Millisecond, lane: laneKeep},
	}
}

// dueTimes are the times at which looks are due. They have monotonic readings, so that a
// clock that is set changes none of them.
type dueTimes struct {
	classes   [classCount]class
	due, last [classCount]time.Time // zero: not due, never
}

func newDueTimes() dueTimes { return dueTimes{classes: classes()} }

// request makes a class due after its delay, and not before its gap is over. Requests in
// between change nothing.
func (d *dueTimes) request(c classID, now time.Time) {
	at := now.Add(d.classes[c].delay)
	if !d.last[c].IsZero() {
		if earliest := d.last[c].Add(d.classes[c].gap); earliest.After(at) {
			at = earliest
		}
	}
	if d.due[c].IsZero() || at.Before(d.due[c]) {
		d.due[c] = at
	}
}

// at makes a class due at a time, unless it is due earlier.
func (d *dueTimes) at(c classID, at time.Time) {
	if d.due[c].IsZero() || at.Before(d.due[c]) {
		d.due[c] = at
	}
}

// cancel makes a class not due.
func (d *dueTimes) cancel(c classID) { d.due[c] = time.Time{} }

// ran notes the end of a look.
func (d *dueTimes) ran(c classID, now time.Time) { d.last[c] = now }

// next returns the most urgent class that is due, and makes it not due.
func (d *dueTimes) next(now time.Time, l lane) (classID, bool) {
	for _, c := range [...]classID{classLoopback, classForwarding, classPorts, classKeep, classConf, classFull, classRules, classTunnels, classRuleset, classAddresses} {
		if d.classes[c].lane == l && !d.due[c].IsZero() && !now.Before(d.due[c]) {
			d.due[c] = time.Time{}
			return c, true
		}
	}
	return 0, false
}

// wait returns how long it is until a class is due; an hour if none is.
func (d *dueTimes) wait(now time.Time, l lane) time.Duration {
	wait := time.Hour
	for c, at := range d.due {
		if d.classes[c].lane == l && !at.IsZero() {
			wait = min(wait, max(at.Sub(now), 0))
		}
	}
	return wait
}
