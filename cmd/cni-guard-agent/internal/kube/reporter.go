// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/cni-guard/cni-guard/cmd/cni-guard-agent/internal/metrics"
	"github.com/cni-guard/cni-guard/pkg/agent"
)

// Each write of a condition rewrites the whole node object in etcd. So one is written when
// it changes, and else every heartbeat, which shows that the agent is alive. A message that
// changes alone waits.
const (
	heartbeat  = 5 * time.Minute
	messageGap = 30 * time.Second
	retryFirst = time.Second
	retryMost  = time.Minute
	// staleLook is how old the last look may be before the condition is Unknown.
	staleLook = 10 * time.Minute
)

// A Reporter writes what the agent knows to the API server. The API server may be gone for
// hours: then the reporter keeps one event per check and kind, with a count, and writes the
// condition as it is when the API server is back. It never holds the agent up.
type Reporter struct {
	client *Client
	node   string
	status func() agent.Status
	log    *slog.Logger
	wake   chan struct{}

	uid       types.UID // of the node object, as last seen
	written   corev1.NodeCondition
	writtenAt time.Time // zero: never
	condition retry
	events    eventQueue

	mu      sync.Mutex
	metrics metrics.Kubernetes
	errors  map[string]string // the last one that was logged, by kind
}

// NewReporter returns a reporter for a node.
func NewReporter(client *Client, node string, status func() agent.Status, log *slog.Logger) *Reporter {
	return &Reporter{
		client: client, node: node, status: status, log: log, wake: make(chan struct{}, 1), events: newEventQueue(),
		metrics: metrics.Kubernetes{Enabled: true, Writes: map[string]map[string]uint64{}}, errors: map[string]string{},
	}
}

// A retry paces the attempts after errors.
type retry struct {
	until time.Time
	pause time.Duration
}

func (r *retry) failed(now time.Time) {
	r.pause = min(max(2*r.pause, retryFirst), retryMost)
	r.until = now.Add(time.Duration(float64(r.pause) * (0.8 + 0.4*rand.Float64())))
}

func (r *retry) worked() { *r = retry{} }

// Changed says that the status has changed. It never blocks.
func (r *Reporter) Changed() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Run reports until ctx ends.
func (r *Reporter) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		select {
		case <-r.wake:
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		s := r.status()
		r.events.add(s.Incidents, s.Started)
		wait := min(r.writeCondition(ctx, s, time.Now()), r.writeEvents(ctx, time.Now()))
		timer.Reset(max(wait, 10*time.Millisecond))
	}
}

// writeCondition writes the condition if it is time to, and returns when to look again.
func (r *Reporter) writeCondition(ctx context.Context, s agent.Status, now time.Time) time.Duration {
	want, ok := conditionOf(s, now)
	if !ok {
		return time.Second // the first look is not done
	}
	changed := want.Status != r.written.Status || want.Reason != r.written.Reason
	due := r.writtenAt.Add(heartbeat)
	switch {
	case changed || r.writtenAt.IsZero():
		due = now
	case want.Message != r.written.Message:
		due = r.writtenAt.Add(messageGap)
	}
	if r.condition.until.After(due) {
		due = r.condition.until
	}
	if now.Before(due) {
		return due.Sub(now)
	}
	if err := r.patch(ctx, &want); err != nil {
		r.condition.failed(now)
		r.count("condition", "error", err)
		return r.condition.pause
	}
	r.condition.worked()
	r.written, r.writtenAt = want, time.Now()
	r.count("condition", "ok", nil)
	r.mu.Lock()
	r.metrics.Condition = string(want.Status)
	r.mu.Unlock()
	return heartbeat
}

// patch writes the condition. It looks at the node object first: another agent may have
// written the condition before, and the object may be another by now.
func (r *Reporter) patch(ctx context.Context, want *corev1.NodeCondition) error {
	uid, before, err := r.client.node(ctx, r.node)
	if err != nil {
		return err
	}
	r.uid = uid
	now := metav1.Now()
	want.LastHeartbeatTime, want.LastTransitionTime = now, now
	if before != nil && before.Status == want.Status {
		want.LastTransitionTime = before.LastTransitionTime
	}
	return r.client.patchCondition(ctx, r.node, want)
}

// conditionOf returns the condition that a status stands for. It reports false before the
// first look has ended.
func conditionOf(s agent.Status, now time.Time) (corev1.NodeCondition, bool) {
	c := corev1.NodeCondition{Type: ConditionType, Status: corev1.ConditionFalse, Reason: "NoNetworkProblem", Message: "cni-guard found no problem with the pod network on this node"}
	last := s.Looks.LastFull
	switch {
	case s.Problem != nil:
		c.Status, c.Reason, c.Message = corev1.ConditionTrue, s.Problem.Reason(), shorten(s.Problem.Message, 1024)
	case last.IsZero() && s.Error == "" && now.Sub(s.Started) < staleLook:
		return c, false
	case last.IsZero() || now.Sub(last) > staleLook:
		c.Status, c.Reason, c.Message = corev1.ConditionUnknown, "CannotLook", shorten("the cni-guard agent cannot check this node: "+s.Error, 1024)
	}
	return c, true
}

// count counts a request, and logs an error when it appears or changes, and when it ends.
func (r *Reporter) count(kind, result string, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	r.mu.Lock()
	if r.metrics.Writes[kind] == nil {
		r.metrics.Writes[kind] = map[string]uint64{}
	}
	r.metrics.Writes[kind][result]++
	before := r.errors[kind]
	r.errors[kind] = text
	r.mu.Unlock()
	switch {
	case text == before:
	case text == "":
		r.log.Info("can report to Kubernetes again", "kind", kind)
	case before == "":
		r.log.Warn("cannot report to Kubernetes", "kind", kind, "error", text)
	}
}

// Metrics returns what was done.
func (r *Reporter) Metrics() metrics.Kubernetes {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.metrics
	k.Writes = map[string]map[string]uint64{}
	for kind, results := range r.metrics.Writes {
		k.Writes[kind] = map[string]uint64{}
		for result, n := range results {
			k.Writes[kind][result] = n
		}
	}
	return k
}
