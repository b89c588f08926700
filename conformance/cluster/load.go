// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Load is pods that are created and deleted on all nodes, all the time.
type Load struct {
	c       *Cluster
	finish  context.CancelFunc // the workers
	unwatch context.CancelFunc
	done    sync.WaitGroup

	mu      sync.Mutex
	pods    map[string]chan Change[Pod] // those that a worker waits for
	started []time.Duration             // from the creation of a pod to Ready, as seen by the test
	failed  []string
	address []string // of the pods that were Ready

	// Refusals allows for sandboxes that could not be made and were tried again: Stop counts
	// them. Otherwise each fails the test.
	Refusals bool
	known    map[string]bool // events from before the load, by UID
}

// StartLoad starts that many workers on each node. Each creates a pod, waits until it is
// Ready, deletes it, waits until it is gone, and begins again.
func (c *Cluster) StartLoad(perNode int) *Load {
	watching, unwatch := context.WithCancel(context.Background())
	working, finish := context.WithCancel(watching)
	l := &Load{c: c, finish: finish, unwatch: unwatch, pods: map[string]chan Change[Pod]{}, known: map[string]bool{}}
	for _, e := range c.Events("default", "Pod") {
		l.known[e.Metadata.UID] = true // of a load before this one
	}
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for watching.Err() == nil {
			_ = Watch(watching, c.api, pods, func(change Change[Pod]) bool {
				l.dispatch(change)
				return true
			})
		}
	}()
	for _, n := range c.node {
		for w := range perNode {
			l.done.Go(func() { l.work(working, n.Name, fmt.Sprintf("load-%s-%d", n.Name, w)) })
		}
	}
	l.c.t.Cleanup(func() {
		unwatch()
		<-watched
	})
	return l
}

func (l *Load) dispatch(change Change[Pod]) {
	l.mu.Lock()
	changes := l.pods[change.Object.Metadata.Name]
	l.mu.Unlock()
	if changes != nil {
		select {
		case changes <- change:
		default: // the worker has gone on
		}
	}
}

// work runs one worker. A pod that was begun is ended, whatever ctx says.
func (l *Load) work(ctx context.Context, node, prefix string) {
	for i := 0; ctx.Err() == nil; i++ {
		if err := l.pod(PodSpec{Name: fmt.Sprintf("%s-%d", prefix, i), Node: node}); err != nil {
			l.mu.Lock()
			l.failed = append(l.failed, err.Error())
			l.mu.Unlock()
		}
	}
}

func (l *Load) pod(spec PodSpec) error {
	changes := make(chan Change[Pod], 100)
	l.mu.Lock()
	l.pods[spec.Name] = changes
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		delete(l.pods, spec.Name)
		l.mu.Unlock()
	}()
	began := time.Now()
	if err := l.c.CreatePod(spec); err != nil {
		return err
	}
	last := Pod{}
	err := l.until(changes, spec.Name+" is Ready", func(change Change[Pod]) bool {
		last = change.Object
		return last.Ready() || last.Status.Phase == "Failed"
	})
	if err == nil && !last.Ready() {
		err = fmt.Errorf("pod %s failed: %s %s", spec.Name, last.Status.Reason, last.Status.Message)
	}
	if err == nil {
		l.mu.Lock()
		l.started = append(l.started, time.Since(began))
		l.address = append(l.address, last.Status.PodIP)
		l.mu.Unlock()
	}
	if e := l.c.api.Delete(pods + "/" + spec.Name); e != nil {
		return e
	}
	if e := l.until(changes, spec.Name+" is gone", func(change Change[Pod]) bool {
		last = change.Object
		return change.Type == "DELETED"
	}); err == nil {
		err = e
	}
	if n := last.Restarts(); err == nil && n > 0 {
		err = fmt.Errorf("pod %s was restarted %d times", spec.Name, n)
	}
	return err
}

func (l *Load) until(changes chan Change[Pod], what string, good func(Change[Pod]) bool) error {
	deadline := time.After(patience)
	for {
		select {
		case change := <-changes:
			if good(change) {
				return nil
			}
		case <-deadline:
			return fmt.Errorf("it did not happen within %s that %s", patience, what)
		}
	}
}

// Inside returns how many of the pods that were Ready had an address that begins like that.
func (l *Load) Inside(prefix string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, address := range l.address {
		if strings.HasPrefix(address, prefix) {
			n++
		}
	}
	return n
}

// Started returns how many pods have been Ready so far.
func (l *Load) Started() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.started)
}

// Await waits until that many more pods have been Ready.
func (l *Load) Await(more int) {
	l.c.t.Helper()
	want := l.Started() + more
	l.c.await(fmt.Sprintf("%d more pods", more), func() error {
		if n := l.Started(); n < want {
			return fmt.Errorf("%d of %d have started", n, want)
		}
		return nil
	})
}

// Stop ends the load when the pods that were begun are gone. It fails the test for every
// pod that failed and for every event that says that a sandbox could not be made or
// removed, and returns how it was.
func (l *Load) Stop() string {
	l.c.t.Helper()
	l.finish()
	l.done.Wait()
	l.unwatch()
	for _, failure := range l.failed {
		l.c.t.Error(failure)
	}
	refused := 0
	for _, e := range l.c.Events("default", "Pod") {
		switch {
		case !strings.HasPrefix(e.InvolvedObject.Name, "load-") || !badReason(e) || l.known[e.Metadata.UID]:
		case l.Refusals && e.Reason == "FailedCreatePodSandBox":
			refused += max(e.Count, 1)
		default:
			l.c.t.Errorf("%s: %s (%d times): %s", e.InvolvedObject.Name, e.Reason, max(e.Count, 1), e.Message)
		}
	}
	slices.Sort(l.started)
	if len(l.started) == 0 {
		l.c.t.Fatal("the load started no pod")
	}
	return fmt.Sprintf("%d pods were created and deleted, %d failed, %d sandboxes were refused and tried again; Ready after %s (median), %s (longest)",
		len(l.started), len(l.failed), refused, l.started[len(l.started)/2].Round(10*time.Millisecond), l.started[len(l.started)-1].Round(10*time.Millisecond))
}

// badReason says whether an event means that CNI, or something that depends on it, failed a pod.
func badReason(e Event) bool {
	return slices.Contains([]string{"FailedCreatePodSandBox", "FailedKillPod", "FailedPodSandBoxStatus", "SandboxChanged", "Unhealthy", "BackOff", "Failed", "Evicted"}, e.Reason)
}
