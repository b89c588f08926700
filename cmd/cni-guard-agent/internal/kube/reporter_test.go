// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"

	"github.com/cni-guard/cni-guard/pkg/agent"
)

// A cluster is an API server of one node, as the transport of a client.
type cluster struct {
	mu        sync.Mutex
	gone      bool // no connection
	forbid    string
	uid       string
	condition *corev1.NodeCondition
	patches   int
	events    []corev1.Event
}

// RoundTrip implements http.RoundTripper.
func (c *cluster) RoundTrip(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return nil, errors.New("connection refused")
	}
	kind := "node"
	if strings.HasSuffix(r.URL.Path, "/events") {
		kind = "event"
	}
	if c.forbid == kind {
		return answer(http.StatusForbidden, map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Forbidden", "code": 403}), nil
	}
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	switch {
	case r.Method == http.MethodPost:
		var e corev1.Event
		if err := json.Unmarshal(body, &e); err != nil {
			return nil, err
		}
		c.events = append(c.events, e)
	case r.Method == http.MethodPatch:
		var patch struct {
			Status struct{ Conditions []corev1.NodeCondition }
		}
		if err := json.Unmarshal(body, &patch); err != nil {
			return nil, err
		}
		c.patches++
		if c.condition = &patch.Status.Conditions[0]; strings.Contains(string(body), `"$patch":"delete"`) {
			c.condition = nil
		}
	}
	n := map[string]any{"kind": "Node", "apiVersion": "v1", "metadata": map[string]any{"name": "n1", "uid": c.uid}}
	if c.condition != nil {
		n["status"] = map[string]any{"conditions": []any{c.condition}}
	}
	if kind == "event" {
		n = map[string]any{"kind": "Event", "apiVersion": "v1"}
	}
	return answer(http.StatusOK, n), nil
}

func answer(code int, body any) *http.Response {
	text, _ := json.Marshal(body)
	return &http.Response{StatusCode: code, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(string(text)))}
}

// set changes the cluster.
func (c *cluster) set(change func(*cluster)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(c)
}

// A fixture is a reporter that runs in a bubble, where time passes at once.
type fixture struct {
	*cluster
	r      *Reporter
	mu     sync.Mutex
	status agent.Status
}

func start(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{cluster: &cluster{uid: "u1"}}
	f.status = agent.Status{Started: time.Now(), Looks: agent.Looks{LastFull: time.Now()}}
	client, err := New(&rest.Config{Host: "http://api", Transport: f.cluster, QPS: -1})
	if err != nil {
		t.Fatal(err)
	}
	f.r = NewReporter(client, "n1", func() agent.Status {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.status
	}, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f.r.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-ended })
	synctest.Wait()
	return f
}

// change changes the status of the agent, and waits until it is reported or not.
func (f *fixture) change(change func(*agent.Status)) {
	f.mu.Lock()
	f.status.Looks.LastFull = time.Now()
	change(&f.status)
	f.mu.Unlock()
	f.r.Changed()
	synctest.Wait()
}

// pass lets time pass while the agent looks every minute.
func (f *fixture) pass(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		time.Sleep(min(time.Minute, time.Until(end)))
		f.change(func(*agent.Status) {})
	}
}

func problem() *agent.Problem {
	return &agent.Problem{ID: "CG105", Check: "host-loopback", Message: strings.Repeat("node/lo is down; ", 100)}
}

// The condition follows the problem, has at most a kilobyte, and is written when it changes
// and every five minutes.
func TestCondition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t)
		if f.condition == nil || f.condition.Status != corev1.ConditionFalse || f.patches != 1 {
			t.Fatalf("the first condition is %+v, patches %d", f.condition, f.patches)
		}
		f.change(func(s *agent.Status) { s.Problem = problem() })
		if c := f.condition; c.Status != corev1.ConditionTrue || c.Reason != "HostLoopback" || len(c.Message) > 1024 {
			t.Errorf("with a problem: %+v", c)
		}
		began := f.condition.LastTransitionTime
		f.pass(31 * time.Minute)
		if f.patches < 7 || f.patches > 9 {
			t.Errorf("%d patches in half an hour without a change", f.patches)
		}
		if !f.condition.LastTransitionTime.Equal(&began) {
			t.Error("a heartbeat changed the time of the transition")
		}
		f.change(func(s *agent.Status) { s.Problem = nil })
		if f.condition.Status != corev1.ConditionFalse {
			t.Errorf("without a problem: %+v", f.condition)
		}
		time.Sleep(staleLook + heartbeat + time.Minute) // the agent hangs
		synctest.Wait()
		if f.condition.Status != corev1.ConditionUnknown {
			t.Errorf("without a look for ten minutes: %+v", f.condition)
		}
		if err := f.r.client.ClearCondition(t.Context(), "n1"); err != nil || f.condition != nil {
			t.Errorf("cleared: %+v, error %v", f.condition, err)
		}
	})
}

func incident(i int) agent.Incident {
	return agent.Incident{ID: "CG105", Check: "host-loopback", Object: "node/lo", Problem: "is down", Began: time.Unix(int64(i), 0), Ended: time.Unix(int64(i), 0), Repaired: true, Count: 1}
}

// While the API server is gone nothing is lost: the condition is as it is now, and one
// event says how often something happened.
func TestServerGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t)
		f.set(func(c *cluster) { c.gone = true })
		for i := range 60 {
			f.change(func(s *agent.Status) {
				s.Problem = problem()
				s.Incidents = []agent.Incident{incident(i + 1)}
			})
			f.pass(time.Minute)
		}
		f.change(func(s *agent.Status) { s.Problem = nil })
		if len(f.events) != 0 {
			t.Fatalf("%d events reached a server that is gone", len(f.events))
		}
		f.set(func(c *cluster) { c.gone, c.uid = false, "u2" })
		f.pass(3 * time.Minute)
		if f.condition.Status != corev1.ConditionFalse {
			t.Errorf("the condition is stale: %+v", f.condition)
		}
		if len(f.events) != 1 || f.events[0].Count != 60 || !strings.Contains(f.events[0].Message, "60 of these") {
			t.Fatalf("events %+v", f.events)
		}
		f.pass(eventGap + heartbeat)
		f.change(func(s *agent.Status) { s.Incidents = []agent.Incident{incident(99)} })
		if last := f.events[len(f.events)-1]; len(f.events) != 2 || last.InvolvedObject.UID != "u2" {
			t.Errorf("%d events; the last is about %q: the node object was replaced", len(f.events), last.InvolvedObject.UID)
		}
	})
}

// Events of one check are limited, and those that were held back are counted.
func TestEventsAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t)
		i := incident(1)
		for range 1000 {
			f.change(func(s *agent.Status) { s.Incidents = []agent.Incident{i} })
			i.Count++
		}
		f.pass(eventGap + time.Minute)
		if len(f.events) != 2 || f.events[0].Count+f.events[1].Count != 1000 {
			t.Errorf("%d events", len(f.events))
		}
	})
}

// What one of the two may not do does not hold back the other.
func TestForbidden(t *testing.T) {
	for _, kind := range []string{"node", "event"} {
		synctest.Test(t, func(t *testing.T) {
			f := start(t)
			f.set(func(c *cluster) { c.forbid = kind })
			f.change(func(s *agent.Status) {
				s.Problem = problem()
				s.Incidents = []agent.Incident{incident(1)}
			})
			f.pass(2 * time.Minute)
			isTrue := f.condition.Status == corev1.ConditionTrue
			if kind == "node" && (isTrue || len(f.events) != 1) || kind == "event" && (!isTrue || len(f.events) != 0) {
				t.Errorf("%s is forbidden: condition %v, %d events", kind, f.condition.Status, len(f.events))
			}
			if f.r.Metrics().Writes == nil {
				t.Error("nothing is counted")
			}
		})
	}
}
