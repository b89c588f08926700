// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/release"
)

// Random histories of a node, against a model that knows what really belongs to
// whom. A plugin must never be called on a living other pod's namespace or on the
// node's, no address and no rule may go while its pod lives, and the DEL of a
// healthy pod must never be refused. The model asks this only where evidence was
// left: see evidence.
func TestHistories(t *testing.T) {
	histories := 5000
	if testing.Short() {
		histories = 300
	}
	quiet(t)
	folder := inMemory(t)
	for seed := range uint64(histories) {
		h := randomHistory(seed)
		if err := play(folder, h); err != nil {
			h = shrink(folder, h)
			t.Fatalf("seed %d: %v\nthe shortest history that shows it:\n%v", seed, play(folder, h), h)
		}
	}
}

// inMemory returns a function that makes an empty directory, in memory where there is
// such a place, as the state directory of a node is.
func inMemory(t *testing.T) func() string {
	t.Helper()
	root, err := os.MkdirTemp("/dev/shm", "histories-")
	if err != nil {
		root = t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	return func() string {
		dir, err := os.MkdirTemp(root, "")
		if err != nil {
			t.Fatal(err)
		}
		return dir
	}
}

// quiet keeps the journal of thousands of calls off standard error.
func quiet(t *testing.T) {
	t.Helper()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	stderr := os.Stderr
	os.Stderr = null
	t.Cleanup(func() { os.Stderr = stderr; null.Close() })
}

// A history is a kind of node and what happens on it.
type history struct {
	cookies    bool // the kernel is not older than 5.14
	persistent bool // the state directory survives a reboot
	steps      []step
}

// A step is something that happens. Its numbers pick whom it happens to, among
// those that there are at the time, so that a history stays one when steps are
// taken out of it.
type step struct {
	name string
	a, b int
}

func (h history) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "cookies %t, persistent %t\n", h.cookies, h.persistent)
	for _, s := range h.steps {
		fmt.Fprintf(&b, "  %s %d %d\n", s.name, s.a, s.b)
	}
	return b.String()
}

// stepNames has what happens often more than once.
func stepNames() []string {
	return []string{
		"add", "add", "add", "add", "add killed", "add killed",
		"end", "end", "end", "reuse path", "reuse path", "reuse path",
		"del", "del", "del", "del", "del", "del that another plugin fails", "release killed",
		"change mac", "swap interface", "renumber", "restore", "restart", "operator releases",
		"gc", "reboot", "reboot", "lose state",
	}
}

func randomHistory(seed uint64) history {
	r := rand.New(rand.NewPCG(seed, 5))
	h := history{cookies: r.IntN(4) != 0, persistent: r.IntN(3) == 0}
	names := stepNames()
	for range 5 + r.IntN(20) {
		h.steps = append(h.steps, step{names[r.IntN(len(names))], r.IntN(1000), r.IntN(1000)})
	}
	return h
}

// play plays a history on a fresh node and returns what went wrong first.
func play(folder func() string, h history) error {
	dir := folder()
	defer os.RemoveAll(dir)
	w := newWorld(dir, h)
	for i, s := range h.steps {
		if err := w.step(s); err != nil {
			return fmt.Errorf("step %d, %s: %w", i+1, s.name, err)
		}
	}
	return nil
}

// shrink takes steps out as long as something still goes wrong.
func shrink(folder func() string, h history) history {
	for size := len(h.steps) / 2; size > 0; {
		shorter := false
		for at := 0; at+size <= len(h.steps); at++ {
			try := h
			try.steps = slices.Concat(h.steps[:at], h.steps[at+size:])
			if play(folder, try) != nil {
				h, shorter = try, true
				break
			}
		}
		if !shorter {
			size /= 2
		}
	}
	return h
}

// The shapes of attachments: what the primary plugin reports of them.
const (
	shapeUsual   = iota // MAC and address
	shapeMACless        // an address only, as Calico does
	shapeL2             // a MAC only: there is no IPAM
	shapeStatic         // MAC and address belong to the pod, and so to its next sandbox
	shapeOld            // of CNI 0.3.1: no result on DEL
	shapes
)

// step does what the step says, if there is anybody that it can happen to.
func (w *world) step(s step) error {
	switch s.name {
	case "add":
		return w.add(s.a%shapes, false)
	case "add killed":
		return w.add(s.a%shapes, true)
	case "gc":
		return w.gc()
	case "reboot":
		w.reboot()
		return nil
	case "lose state":
		w.loseState()
		return nil
	}
	c := w.pick(s.a)
	if c == nil {
		return nil
	}
	switch s.name {
	case "end":
		c.end()
	case "reuse path":
		w.reusePath(c, s.b)
	case "del":
		return w.del(c, delivered)
	case "del that another plugin fails":
		return w.del(c, failedByAnother)
	case "release killed":
		return w.del(c, releaseKilled)
	case "change mac":
		c.changeMAC(w)
	case "swap interface":
		c.swapInterface(w)
	case "renumber":
		c.renumber()
	case "restore":
		w.restore(c)
	case "restart":
		return w.restart(c, s.b)
	case "operator releases":
		return w.operatorReleases(c)
	default:
		return fmt.Errorf("there is no step %q", s.name)
	}
	return nil
}

// What becomes of a DEL after the guard has let it pass, or has it released.
type delivery uint8

const (
	delivered       delivery = iota
	failedByAnother          // a plugin behind the guard fails before the address is free
	releaseKilled            // guardctl is killed after the chain was released, before it is marked
)

// A release stands in for guardctl: it releases the chain in the model, and marks.
func (w *world) release(c *container, how delivery) func(context.Context, release.Request, io.Writer) release.Outcome {
	return func(_ context.Context, r release.Request, _ io.Writer) release.Outcome {
		if how == releaseKilled {
			return release.Outcome{Reason: "killed"}
		}
		w.fault = joinFault(w.fault, w.callChain(c))
		w.mark(c, r.Netns)
		return release.Outcome{Complete: true}
	}
}

func joinFault(a, b error) error {
	if a != nil {
		return a
	}
	return b
}
