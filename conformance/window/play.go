// SPDX-License-Identifier: Apache-2.0

package window

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cni-guard/cni-guard/conformance/rig"
	"github.com/cni-guard/cni-guard/conformance/runtimes"
)

// attempts is how often a pod is tried that is refused, as kubelet tries it.
const attempts = 20

// patience is for the agent to undo one change. It is throttled after the first ones.
const patience = 2 * time.Minute

// Prepare installs the guard as operators do and starts the agent. It returns what guardctl
// install answered.
func Prepare(ctx context.Context, s *rig.Rig) (rig.Answer, error) {
	answer, err := s.Operate(ctx, s.Programs(), "install")
	if err == nil && answer.Code != 0 {
		err = fmt.Errorf("guardctl install: %s", answer)
	}
	if err == nil {
		err = s.AwaitOwn(ctx)
	}
	if err == nil {
		err = s.StartAgent(ctx, "--keep", "enforce")
	}
	return answer, err
}

type play struct {
	rig  *rig.Rig
	way  Way
	load Load

	mu     sync.Mutex
	result Result
	pods   []started
}

// started is a pod, and when it was asked for.
type started struct {
	pod          runtimes.Pod
	asked        time.Time
	own, guarded bool
}

// span is the time in which a file counted.
type span struct{ from, to time.Time }

func (p *play) run(ctx context.Context) (Result, error) {
	watch, err := p.rig.WatchConfDir()
	if err != nil {
		return p.result, err
	}
	defer watch.Close()
	if err := p.rig.Watch("bridge"); err != nil { // the wrong network's
		return p.result, err
	}
	var spans []span
	var changing error
	var all sync.WaitGroup
	changed := make(chan struct{})
	all.Go(func() {
		defer close(changed)
		spans, changing = p.change(ctx, watch)
	})
	next := make(chan int)
	for range p.load.AtOnce {
		all.Go(func() {
			for i := range next {
				p.start(ctx, fmt.Sprintf("pod-%d", i))
			}
		})
	}
	for i := 0; i < p.load.Pods || p.way.Fight && !isClosed(changed); i++ {
		next <- i
	}
	close(next)
	all.Wait()
	if changing != nil {
		return p.result, changing
	}
	return p.result, p.judge(spans)
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// change makes the changes one after the other, spread over the time in which pods start.
func (p *play) change(ctx context.Context, watch *rig.ConfWatch) ([]span, error) {
	var spans []span
	for i := range p.load.Changes {
		// The first change comes when the first pods have started, with others on their way.
		for p.startedPods() < (p.load.Pods-p.load.AtOnce)*i/p.load.Changes+1 {
			select {
			case <-ctx.Done():
				return spans, context.Cause(ctx)
			case <-time.After(time.Millisecond):
			}
		}
		from := time.Now()
		if err := p.way.Put(p.rig, i); err != nil {
			return spans, err
		}
		to, err := p.undone(ctx, watch, from)
		if err != nil {
			return spans, fmt.Errorf("change %d (%s): %w", i+1, p.way.Name, err)
		}
		spans = append(spans, span{from, to})
		p.mu.Lock()
		p.result.Kept = append(p.result.Kept, to.Sub(from))
		p.mu.Unlock()
	}
	return spans, nil
}

// startedPods returns how many pods have started, or failed.
func (p *play) startedPods() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.pods) + p.result.Failed
}

// undone waits until the agent has undone a change, and returns when that was.
func (p *play) undone(ctx context.Context, watch *rig.ConfWatch, from time.Time) (time.Time, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errors.New("the agent did not undo it in time"))
	defer cancel()
	if p.way.Rogue != "" {
		return watch.AwaitGone(ctx, p.way.Rogue, from)
	}
	return watch.AwaitChange(ctx, p.rig.HasGuard, from)
}

// start starts a pod, and tries again if that is refused.
func (p *play) start(ctx context.Context, name string) {
	for i := range attempts {
		asked := time.Now()
		pod, err := p.rig.Runtime.Run(ctx, fmt.Sprintf("%s-%d", name, i))
		if err == nil {
			p.note(ctx, started{asked: asked, pod: pod})
			return
		}
		p.mu.Lock()
		p.result.Refused++
		p.fault(err)
		p.mu.Unlock()
		if ctx.Err() != nil {
			break
		}
	}
	p.mu.Lock()
	p.result.Failed++
	p.mu.Unlock()
}

// note writes down what a pod has got, and removes it where pods come and go.
func (p *play) note(ctx context.Context, s started) {
	var err error
	s.own = p.rig.InOwnNetwork(s.pod)
	s.guarded, err = p.rig.Recorded(s.pod)
	if p.way.Fight && err == nil {
		err = p.rig.Runtime.Remove(ctx, s.pod)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pods = append(p.pods, s)
	if err != nil {
		p.result.Failed++
		p.fault(err)
	}
}

// fault keeps some errors. The caller holds mu.
func (p *play) fault(err error) {
	if len(p.result.Errors) < 3 {
		p.result.Errors = append(p.result.Errors, err.Error())
	}
}

// judge counts the pods by what they got.
func (p *play) judge(spans []span) error {
	p.result.Pods = len(p.pods)
	during := func(t time.Time) bool { // a file was there at that time
		for _, s := range spans {
			if !t.Before(s.from) && t.Before(s.to) {
				return true
			}
		}
		return false
	}
	after := func(t time.Time) (last time.Time) { // the end of the last span before that time
		for _, s := range spans {
			if !t.Before(s.to) {
				last = s.to
			}
		}
		return last
	}
	for _, one := range p.pods {
		switch {
		case !one.own:
			p.result.Wrong++
			if !after(one.asked).IsZero() && !during(one.asked) {
				p.result.WrongAfter++
			}
		case !one.guarded:
			p.result.Unguarded++
		}
	}
	calls, err := p.rig.CallsOf("bridge", "ADD")
	if err != nil {
		return err
	}
	for _, at := range calls {
		if last := after(at); !last.IsZero() && !during(at) {
			p.result.Lag = max(p.result.Lag, at.Sub(last))
		}
	}
	return nil
}
