// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"errors"
	"slices"
	"time"

	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// resubscribe is the time between two attempts to subscribe.
const resubscribe = 30 * time.Second

var errEnded = errors.New("the subscription ended; retrying")

// loIndex is the index of lo in every namespace (net/core/dev.h, LOOPBACK_IFINDEX).
const loIndex = 1

// A linkTable is the links as they were last seen, by index, so that a change can be told
// from a message that changes nothing.
type linkTable struct {
	links map[int]linkState
	// suspects are links that lost their bridge or were set down, and are still there.
	suspects map[int]bool
}

type linkState struct {
	up     bool
	master int
	kind   string
}

func (a *Agent) listLinks() linkTable {
	t := linkTable{links: map[int]linkState{}, suspects: map[int]bool{}}
	all, err := a.opt.Kernel.Links()
	if err != nil {
		return t // what changes is learned link by link
	}
	for _, l := range all {
		t.links[l.Index] = linkState{l.Up, l.Master, l.Kind}
	}
	return t
}

// isTunnel reports whether links of a kind carry packets to other nodes. Of kind tun are
// those of virtual machines as well, which come and go with pods; the full look sees
// flannel's.
func isTunnel(kind string) bool {
	return kind != "tun" && slices.Contains(netstate.TunnelKinds(), kind)
}

// kernelChanged requests the looks that changes call for. With a hundred pods a second it
// is called all the time: it compares a change with what was there before, and for a pod
// that comes or goes that is all.
func (a *Agent) kernelChanged(batch []netstate.Change, links *linkTable) {
	relevant := uint64(0)
	for _, c := range batch {
		switch c.Kind {
		case netstate.ChangesLost:
			a.countChange(sourceNetlink, true)
			*links = a.listLinks()
			for _, class := range []classID{classLoopback, classForwarding, classPorts, classFull} {
				a.request(class)
			}
			continue
		case netstate.LinkChanged:
			if !a.linkChanged(c, links) {
				continue
			}
		case netstate.AddrChanged:
			if !a.addrChanged(c, links) {
				continue
			}
		case netstate.RuleChanged:
			a.request(classRules)
		case netstate.ConfChanged:
			if !a.confChanged(c) {
				continue
			}
		}
		relevant++
	}
	if relevant > 0 {
		a.countChanges(sourceNetlink, relevant)
	}
}

func (a *Agent) linkChanged(c netstate.Change, t *linkTable) bool {
	l := c.Link
	if c.Gone {
		was := t.links[l.Index]
		delete(t.links, l.Index)
		if t.suspects[l.Index] {
			delete(t.suspects, l.Index)
			if len(t.suspects) == 0 {
				a.mu.Lock()
				a.due.cancel(classPorts)
				a.mu.Unlock()
			}
		}
		if isTunnel(was.kind) {
			a.request(classTunnels)
			return true
		}
		return false
	}
	was, known := t.links[l.Index]
	if now := (linkState{l.Up, l.Master, l.Kind}); now != was {
		t.links[l.Index] = now
	}
	switch {
	case l.Index == loIndex:
		if l.Up && a.isLoopbackWell() {
			return false
		}
		a.request(classLoopback)
		return true
	case isTunnel(l.Kind):
		if known && was.up == l.Up {
			return false // MTU and the like: the full look sees it
		}
		a.request(classTunnels)
		return true
	case known && (was.master != 0 && was.master != l.Master || was.up && !l.Up):
		t.suspects[l.Index] = true
		a.request(classPorts)
		return true
	case t.suspects[l.Index] && l.Up && l.Master != 0:
		delete(t.suspects, l.Index)
		a.request(classPorts) // it was put right, by whomever
		return true
	}
	return false
}

func (a *Agent) addrChanged(c netstate.Change, t *linkTable) bool {
	switch {
	case c.Link.Index == loIndex && (c.Gone || !a.isLoopbackWell()):
		a.request(classLoopback)
		return true
	case c.Link.Index == loIndex, t.links[c.Link.Index].kind == "veth":
		return false // of a pod that comes or goes
	}
	a.request(classAddresses)
	return true
}

// confChanged skips interfaces that are set to forward, as some networks do for each pod,
// and the forwarding of single interfaces for IPv6, which stops no packet.
func (a *Agent) confChanged(c netstate.Change) bool {
	switch {
	case c.IPv6 && c.Conf > 0:
		return false
	case c.Forwarding < 0 && c.Conf <= 0:
		a.request(classAddresses)
	case c.Forwarding < 0, c.Forwarding > 0 && c.Conf > 0 && a.hasPassed("ip-forwarding"):
		return false
	default:
		a.request(classForwarding)
	}
	return true
}

func lost(batch []netstate.Change) bool {
	return slices.ContainsFunc(batch, func(c netstate.Change) bool { return c.Kind == netstate.ChangesLost })
}

func (a *Agent) isLoopbackWell() bool { return a.hasPassed("host-loopback") }

func (a *Agent) hasPassed(name string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.checks[name]
	return c != nil && c.State == "passed"
}

func (a *Agent) countChange(source string, lost bool) {
	if !lost {
		a.countChanges(source, 1)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if w := a.watch(source); w != nil {
		w.Dropped++
	}
}

func (a *Agent) countChanges(source string, n uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if w := a.watch(source); w != nil {
		w.Changes += n
	}
}

// watch returns the status of a source. The caller holds mu.
func (a *Agent) watch(source string) *WatchStatus {
	i := slices.IndexFunc(a.status.Watches, func(w WatchStatus) bool { return w.Source == source })
	if i < 0 {
		return nil
	}
	return &a.status.Watches[i]
}

// setWatch notes how the agent hears of changes, and logs it if that has changed.
func (a *Agent) setWatch(source string, events bool, err error) {
	why := ""
	if err != nil {
		why = err.Error()
	}
	a.mu.Lock()
	w := a.watch(source)
	changed := w.Events != events || w.Why != why
	w.Events, w.Why = events, why
	a.mu.Unlock()
	if changed && events {
		a.opt.Log.Info("the kernel reports changes", "source", source)
	} else if changed {
		a.opt.Log.Warn("the kernel does not report changes: the agent polls for them, or finds them in the next full look", "source", source, "error", why)
	}
	a.opt.Changed()
}

// filesChanged requests a look at the conf dir.
func (a *Agent) filesChanged(overflow bool) {
	a.countChange(sourceFiles, overflow)
	if a.opt.Keep != KeepOff {
		a.request(classKeep)
	}
	a.request(classConf)
}
