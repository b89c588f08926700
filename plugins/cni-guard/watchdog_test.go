// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/guard"
)

// A panic may quote a name chosen to attack the terminal of the reader.
func TestPanicIsPrintable(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	defer func(before *os.File) { os.Stderr = before }(os.Stderr)
	os.Stderr = file
	if err := letThroughOnPanic(func() error { panic("read x\x1b[2J\nall is well") }); err != nil {
		t.Errorf("it is an error: %v", err)
	}
	said, err := os.ReadFile(file.Name())
	const want = `cni-guard: bug: panic: read x\u001b[2J\nall is well; the call is let through unguarded` + "\n"
	if err != nil || string(said) != want {
		t.Errorf("it says %q, error %v", said, err)
	}
}

// A call that comes back from where it hung does nothing more when the watchdog
// answers already. Until then it has the right to answer.
func TestRunChecksLeavesTheAnswerToTheWatchdog(t *testing.T) {
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
			k.runChecks(suite, guard.Del, refused)
			close(judged)
		}()
		if !late {
			<-judged
			w.done()
			continue
		}
		<-fired
		for waits := false; !waits; waits = blocked() {
			select {
			case <-judged:
				t.Fatalf("%s: the call goes on", name)
			default:
			}
		}
	}
}

// blocked reports whether a goroutine waits for the end of the program.
func blocked() bool {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for stack := range bytes.SplitSeq(stacks, []byte("\n\n")) {
		if bytes.Contains(stack, []byte("[select (no cases)")) && bytes.Contains(stack, []byte("(*watchdog).stop")) {
			return true
		}
	}
	return false
}
