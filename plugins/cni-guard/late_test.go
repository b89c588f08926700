// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"testing"
	"time"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/guard"
)

// A call that comes back from where it hung does nothing more when the watchdog
// answers already. Until then it has the right to answer.
func TestJudgeLeavesTheAnswerToTheWatchdog(t *testing.T) {
	for name, late := range map[string]bool{"in time": false, "late": true} {
		fired := make(chan struct{})
		w := &watchdog{end: time.Now().Add(time.Hour), ctx: context.Background(), cancel: func() {}}
		w.timer = time.AfterFunc(time.Hour, func() { close(fired) })
		suite := []*checks.Check{{
			Name: "hangs", When: guard.Del, Default: guard.Enforce,
			Probe: func(context.Context, *checks.Target) ([]guard.Finding, error) {
				if late {
					w.timer.Reset(0)
					<-fired
				}
				return nil, nil
			},
		}}
		k := &call{watch: w, target: new(checks.Target)}
		judged := make(chan struct{})
		go func() {
			k.judge(suite, guard.Del, refused)
			close(judged)
		}()
		if !late {
			<-judged
			w.done()
			continue
		}
		<-fired
		select {
		case <-judged:
			t.Errorf("%s: the call goes on", name)
		case <-time.After(50 * time.Millisecond): // a slow machine sees no failure, and no false one
		}
	}
}
