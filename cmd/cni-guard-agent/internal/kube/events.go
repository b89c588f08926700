// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/cni-guard/cni-guard/pkg/agent"
)

// eventGap is the least time between two events of one check and kind. What happens in
// between is counted in the next.
const eventGap = 10 * time.Minute

// An eventKind says what an event is about.
type eventKind string

const (
	found    eventKind = "found"
	repaired eventKind = "repaired"
	gone     eventKind = "gone"
)

// An eventKey is what events are limited by.
type eventKey struct {
	check string
	kind  eventKind
}

// A pendingEvent is one that is to be created.
type pendingEvent struct {
	incident    agent.Incident // the last one
	first, last time.Time
	count       uint64
}

// An eventQueue has at most one event for each check and kind, so that it is bounded
// however long the API server is gone.
type eventQueue struct {
	pending map[eventKey]*pendingEvent
	next    map[eventKey]time.Time // when the next event of a key may be created
	seen    map[seenKey]agent.Incident
	retry   retry
	serial  uint64
}

type seenKey struct {
	check, object string
	began         time.Time
}

func newEventQueue() eventQueue {
	return eventQueue{pending: map[eventKey]*pendingEvent{}, next: map[eventKey]time.Time{}, seen: map[seenKey]agent.Incident{}}
}

// add takes over the incidents that are new or have changed since the agent started. What
// another agent found before, that one has reported.
func (q *eventQueue) add(incidents []agent.Incident, started time.Time) {
	seen := make(map[seenKey]agent.Incident, len(incidents))
	for _, i := range slices.Backward(incidents) { // oldest first
		key := seenKey{i.Check, i.Object, i.Began}
		before, known := q.seen[key]
		seen[key] = i
		earlier := !known && i.Earlier
		switch {
		case earlier && (i.Repaired || i.Ended.Before(started)):
		case i.Repaired && i.Count > before.Count:
			q.put(repaired, i, i.Count-before.Count)
		case i.Repaired:
		default:
			if !known && !earlier {
				q.put(found, i, 1)
			}
			if !i.Ended.IsZero() && before.Ended.IsZero() {
				q.put(gone, i, 1)
			}
		}
	}
	q.seen = seen
}

func (q *eventQueue) put(kind eventKind, i agent.Incident, n uint64) {
	at := i.Began
	if kind != found {
		at = i.Ended
	}
	key := eventKey{i.Check, kind}
	p := q.pending[key]
	if p == nil {
		p = &pendingEvent{first: at}
		q.pending[key] = p
	}
	p.incident, p.last, p.count = i, at, p.count+n
}

// writeEvents creates the events that are due, and returns when to look again.
func (r *Reporter) writeEvents(ctx context.Context, now time.Time) time.Duration {
	q := &r.events
	wait := heartbeat
	for key, p := range q.pending {
		due := q.next[key]
		if q.retry.until.After(due) {
			due = q.retry.until
		}
		if now.Before(due) {
			wait = min(wait, due.Sub(now))
			continue
		}
		q.serial++
		err := r.client.createEvent(ctx, r.event(key.kind, p, q.serial))
		if err != nil && !apierrors.IsForbidden(err) && !apierrors.IsInvalid(err) && !apierrors.IsNotFound(err) {
			q.retry.failed(now)
			r.count("event", "error", err)
			return q.retry.pause // the server is gone or busy: the others would fail as well
		}
		q.retry.worked()
		q.next[key] = time.Now().Add(eventGap)
		delete(q.pending, key)
		if err != nil {
			r.count("event", "dropped", err)
			continue
		}
		r.count("event", "ok", nil)
	}
	return wait
}

// event returns an event about the node.
func (r *Reporter) event(kind eventKind, p *pendingEvent, serial uint64) *corev1.Event {
	i := p.incident
	message, level := "", corev1.EventTypeWarning
	switch kind {
	case found:
		message = fmt.Sprintf("%s %s: %s %s (guardctl explain %s)", i.ID, i.Check, i.Object, i.Problem, i.Check)
	case repaired:
		message = fmt.Sprintf("%s %s: repaired: %s %s", i.ID, i.Check, i.Object, i.Problem)
	case gone:
		message, level = fmt.Sprintf("%s %s: the finding is gone: %s %s", i.ID, i.Check, i.Object, i.Problem), corev1.EventTypeNormal
	}
	if i.Culprit != "" {
		message += "; by " + i.Culprit
	}
	if p.count > 1 {
		message += fmt.Sprintf(" (%d of these since %s)", p.count, p.first.UTC().Format(time.RFC3339))
	}
	uid := r.uid
	if uid == "" {
		uid = types.UID(r.node) // as kubelet does: kubectl describe node looks for both
	}
	return &corev1.Event{
		ObjectMeta:          metav1.ObjectMeta{Namespace: eventNamespace, Name: fmt.Sprintf("%s.%x.%x", r.node, time.Now().UnixNano(), serial)},
		InvolvedObject:      corev1.ObjectReference{APIVersion: "v1", Kind: "Node", Name: r.node, UID: uid},
		Reason:              agent.CamelCase(i.Check),
		Message:             shorten(message, 1024),
		Type:                level,
		Source:              corev1.EventSource{Component: "cni-guard-agent", Host: r.node},
		FirstTimestamp:      metav1.NewTime(p.first),
		LastTimestamp:       metav1.NewTime(p.last),
		Count:               int32(min(p.count, 1<<30)),
		ReportingController: "cni-guard.io/agent",
		ReportingInstance:   r.node,
	}
}
