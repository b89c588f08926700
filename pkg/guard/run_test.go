// SPDX-License-Identifier: Apache-2.0

package guard_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cni-guard/cni-guard/pkg/guard"
)

// A world is what the checks of these tests look at.
type world struct {
	broken          bool
	probes, repairs int
}

type check = guard.Check[world]

var errTrouble = errors.New("trouble")

func sound(_ context.Context, w *world) ([]guard.Finding, error) {
	w.probes++
	if w.broken {
		return []guard.Finding{{Object: "world", Problem: "is broken"}}, nil
	}
	return nil, nil
}

func mend(_ context.Context, w *world) error {
	w.repairs++
	w.broken = false
	return nil
}

// probing returns a check with that probe and no repair.
func probing(probe func(context.Context, *world) ([]guard.Finding, error)) *check {
	return &check{Name: "thing", Remedy: "Mend it.", When: guard.Add | guard.Del | guard.Verify | guard.Status | guard.Node, Default: guard.Enforce, Probe: probe}
}

func mendable(repair func(context.Context, *world) error) *check {
	c := probing(sound)
	c.Repair = repair
	return c
}

// run runs one check, which must run.
func run(t *testing.T, c *check, stage guard.Stage, set guard.Settings, w *world) guard.Outcome {
	t.Helper()
	report := guard.Run(t.Context(), []*check{c}, stage, set, w)
	if len(report.Outcomes) != 1 {
		t.Fatalf("%d outcomes, want 1", len(report.Outcomes))
	}
	return report.Outcomes[0]
}

func TestProbe(t *testing.T) {
	for name, c := range map[string]struct {
		probe func(context.Context, *world) ([]guard.Finding, error)
		state guard.State
		err   string
	}{
		"pass": {func(context.Context, *world) ([]guard.Finding, error) { return nil, nil }, guard.Passed, ""},
		"fail": {func(context.Context, *world) ([]guard.Finding, error) { return make([]guard.Finding, 2), nil }, guard.Failed, ""},
		"cannot tell": {func(context.Context, *world) ([]guard.Finding, error) {
			return nil, errTrouble
		}, guard.Unknown, "trouble"},
		"findings and an error": {func(context.Context, *world) ([]guard.Finding, error) {
			return make([]guard.Finding, 1), errTrouble
		}, guard.Failed, "trouble"},
		"panic":      {func(context.Context, *world) ([]guard.Finding, error) { panic("oh") }, guard.Unknown, "probe panicked: oh"},
		"panic(nil)": {func(context.Context, *world) ([]guard.Finding, error) { panic(nil) }, guard.Unknown, "probe panicked"}, //nolint:govet // on purpose
		"nil pointer": {func(context.Context, *world) ([]guard.Finding, error) {
			var none *world
			none.probes++
			return nil, nil
		}, guard.Unknown, "probe panicked"},
		"goroutine ends": {func(context.Context, *world) ([]guard.Finding, error) {
			runtime.Goexit()
			return nil, nil
		}, guard.Unknown, "probe ended without an answer"},
	} {
		t.Run(name, func(t *testing.T) {
			o := run(t, probing(c.probe), guard.Add, guard.Settings{}, new(world))
			if o.State != c.state || (o.Err == nil) != (c.err == "") {
				t.Errorf("state %v, error %v, want %v, %q", o.State, o.Err, c.state, c.err)
			}
			if o.Err != nil && !strings.Contains(o.Err.Error(), c.err) {
				t.Errorf("error %v, want %q", o.Err, c.err)
			}
			if o.Refuses() != (c.state == guard.Failed) {
				t.Errorf("state %v refuses: %t", o.State, o.Refuses())
			}
			if o.Noteworthy() != (c.state != guard.Passed) {
				t.Errorf("state %v is noteworthy: %t", o.State, o.Noteworthy())
			}
		})
	}
}

// A probe that minds its context, and one that does not, end in the same way.
func TestProbeDeadline(t *testing.T) {
	for name, minds := range map[string]bool{"minds its context": true, "hangs": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				end := make(chan struct{})
				defer close(end)
				hang := probing(func(ctx context.Context, _ *world) ([]guard.Finding, error) {
					if minds {
						<-ctx.Done()
						return nil, ctx.Err()
					}
					<-end
					return nil, nil // too late to count as a pass
				})
				begin := time.Now()
				o := run(t, hang, guard.Add, guard.Settings{}, new(world))
				if took := time.Since(begin); took != guard.Deadline {
					t.Errorf("Run returned after %v, want %v", took, guard.Deadline)
				}
				if o.State != guard.Unknown || !errors.Is(o.Err, context.DeadlineExceeded) {
					t.Errorf("state %v, error %v", o.State, o.Err)
				}
			})
		})
	}
}

func TestProbeCancelled(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errTrouble)
	end := make(chan struct{})
	defer close(end)
	hang := probing(func(context.Context, *world) ([]guard.Finding, error) { <-end; return nil, nil })
	o := guard.Run(ctx, []*check{hang}, guard.Add, guard.Settings{}, new(world)).Outcomes[0]
	if o.State != guard.Unknown || !errors.Is(o.Err, errTrouble) {
		t.Errorf("state %v, error %v, want unknown because of the cause", o.State, o.Err)
	}
}

func TestRepair(t *testing.T) {
	// each gives a repair whose tries end with these errors, the last of them for
	// good. A nil mends.
	each := func(errs ...error) func(context.Context, *world) error {
		tries := 0
		return func(_ context.Context, w *world) error {
			err := errs[min(tries, len(errs)-1)]
			tries++
			w.broken = err != nil
			return err
		}
	}
	busy := fmt.Errorf("set link up: %w", syscall.EBUSY)
	for name, c := range map[string]struct {
		repair func(context.Context, *world) error
		state  guard.State
		err    string
		tries  int
	}{
		"works":              {mend, guard.Repaired, "", 1},
		"fails":              {each(errTrouble), guard.Failed, "repair thing: trouble", 4},
		"fails once":         {each(errTrouble, nil), guard.Repaired, "", 2},
		"busy":               {each(busy), guard.Unknown, "before it: world is broken", 4},
		"busy, then works":   {each(busy, busy, busy, nil), guard.Repaired, "", 4},
		"busy, then refused": {each(busy, errTrouble), guard.Failed, "repair thing: trouble", 4},
		"read-only":          {each(fmt.Errorf("write: %w", syscall.EROFS)), guard.Failed, "repair thing: write", 1},
		"lies":               {func(context.Context, *world) error { return nil }, guard.Failed, "", 1},
		"panics":             {func(context.Context, *world) error { panic("oh") }, guard.Failed, "repair panicked: oh", 4},
		"works and fails":    {func(_ context.Context, w *world) error { w.broken = false; return errTrouble }, guard.Repaired, "", 1},
		"none":               {nil, guard.Failed, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, repair, tries := &world{broken: true}, c.repair, 0
				if repair != nil {
					repair = func(ctx context.Context, w *world) error { tries++; return c.repair(ctx, w) }
				}
				o := run(t, mendable(repair), guard.Add, guard.Settings{}, w)
				if o.State != c.state || tries != c.tries {
					t.Errorf("state %v after %d tries, want %v after %d", o.State, tries, c.state, c.tries)
				}
				if (len(o.Findings) == 1) != (c.state != guard.Unknown) || o.Refuses() != (c.state == guard.Failed) {
					t.Errorf("findings %v, refuses: %t", o.Findings, o.Refuses())
				}
				if c.err == "" && o.Err != nil || c.err != "" && (o.Err == nil || !strings.Contains(o.Err.Error(), c.err)) {
					t.Errorf("error %v, want %q", o.Err, c.err)
				}
			})
		})
	}
}

// What a repair removed is told apart from what it left.
func TestRepairInPart(t *testing.T) {
	on := map[string]bool{"a": true, "b": true, "c": true}
	c := mendable(func(context.Context, *world) error { on["a"] = false; return nil })
	c.Probe = func(context.Context, *world) ([]guard.Finding, error) {
		var all []guard.Finding
		for _, name := range []string{"a", "b", "c"} {
			if on[name] {
				all = append(all, guard.Finding{Object: name, Problem: "is off", Change: map[string]string{"a": "a: 0 -> 1", "b": "b: 0 -> 1"}[name]})
			}
		}
		return all, nil
	}
	o := run(t, c, guard.Add, guard.Settings{}, &world{})
	if o.State != guard.Failed || len(o.Findings) != 2 || len(o.Mended) != 1 || o.Mended[0].Object != "a" {
		t.Errorf("the check has %v: %v, mended %v", o.State, o.Findings, o.Mended)
	}
	if changes := o.Changes(); len(changes) != 1 || changes[0] != "b: 0 -> 1" {
		t.Errorf("the changes are %q", changes)
	}
}

// Every error by which the kernel says that it is slow or busy is no proof that a
// repair is impossible.
func TestRepairPassingErrors(t *testing.T) {
	for _, slow := range []error{
		syscall.EAGAIN, syscall.EINTR, syscall.EBUSY, syscall.ETIMEDOUT, syscall.ENOBUFS, syscall.ENOMEM,
		syscall.EMFILE, syscall.ENFILE, os.ErrDeadlineExceeded, context.DeadlineExceeded, context.Canceled,
	} {
		synctest.Test(t, func(t *testing.T) {
			c := mendable(func(context.Context, *world) error { return errors.Join(errTrouble, fmt.Errorf("ask: %w", slow)) })
			if o := run(t, c, guard.Add, guard.Settings{}, &world{broken: true}); o.State != guard.Unknown || o.Refuses() {
				t.Errorf("%v: state %v", slow, o.State)
			}
		})
	}
}

func TestRepairDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := mendable(func(ctx context.Context, _ *world) error { <-ctx.Done(); return ctx.Err() })
		o := run(t, c, guard.Add, guard.Settings{}, &world{broken: true})
		if o.State != guard.Unknown || !errors.Is(o.Err, context.DeadlineExceeded) || !strings.Contains(o.Err.Error(), "world is broken") {
			t.Errorf("state %v, error %v", o.State, o.Err)
		}
	})
}

// After a repair the probe may no longer be able to tell. That is no success.
func TestRepairThenUnknown(t *testing.T) {
	c := mendable(mend)
	c.Probe = func(_ context.Context, w *world) ([]guard.Finding, error) {
		if w.repairs > 0 {
			return nil, errTrouble
		}
		return []guard.Finding{{Object: "world", Problem: "is broken"}}, nil
	}
	o := run(t, c, guard.Add, guard.Settings{}, &world{broken: true})
	if o.State != guard.Unknown || !errors.Is(o.Err, errTrouble) {
		t.Errorf("state %v, error %v", o.State, o.Err)
	}
	if !strings.Contains(o.Err.Error(), "world is broken") {
		t.Errorf("error %v does not say what was found before the repair", o.Err)
	}
}

// Who may repair, and who may refuse.
func TestPolicyAndStage(t *testing.T) {
	no, yes := false, true
	named := func(s guard.Setting) guard.Settings {
		return guard.Settings{Checks: map[string]guard.Setting{"thing": s}}
	}
	audit := func(s guard.Setting) guard.Settings {
		set := named(s)
		set.Audit = true
		return set
	}
	for name, c := range map[string]struct {
		stage   guard.Stage
		set     guard.Settings
		state   guard.State
		refuses bool // a finding that stays
	}{
		"ADD":                 {guard.Add, guard.Settings{}, guard.Repaired, true},
		"DEL":                 {guard.Del, guard.Settings{}, guard.Repaired, true},
		"node":                {guard.Node, guard.Settings{}, guard.Repaired, true},
		"CHECK":               {guard.Verify, guard.Settings{}, guard.Failed, true},
		"STATUS":              {guard.Status, guard.Settings{}, guard.Repaired, true},
		"STATUS, audit":       {guard.Status, audit(guard.Setting{}), guard.Failed, false},
		"CHECK, repair true":  {guard.Verify, named(guard.Setting{Repair: &yes}), guard.Failed, true},
		"repair false":        {guard.Add, named(guard.Setting{Repair: &no}), guard.Failed, true},
		"warn":                {guard.Add, named(guard.Setting{Policy: guard.Warn}), guard.Repaired, false},
		"enforce":             {guard.Add, named(guard.Setting{Policy: guard.Enforce}), guard.Repaired, true},
		"audit":               {guard.Add, audit(guard.Setting{}), guard.Failed, false},
		"audit, enforce":      {guard.Add, audit(guard.Setting{Policy: guard.Enforce}), guard.Failed, false},
		"audit, repair true":  {guard.Add, audit(guard.Setting{Repair: &yes}), guard.Failed, false},
		"another check named": {guard.Add, guard.Settings{Checks: map[string]guard.Setting{"other": {Policy: guard.Off}}}, guard.Repaired, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := &world{broken: true}
			if o := run(t, mendable(mend), c.stage, c.set, w); o.State != c.state {
				t.Errorf("state %v, want %v", o.State, c.state)
			}
			if w.broken != (c.state == guard.Failed) || w.repairs > 1 || w.probes != 1+w.repairs {
				t.Errorf("the world is broken: %t after %d repairs and %d probes", w.broken, w.repairs, w.probes)
			}
			o := run(t, mendable(nil), c.stage, c.set, &world{broken: true})
			if o.Refuses() != c.refuses {
				t.Errorf("a finding that stays refuses: %t, want %t", o.Refuses(), c.refuses)
			}
		})
	}
}

// A forgotten policy runs the check, and refuses nothing.
func TestZeroPolicy(t *testing.T) {
	c := mendable(nil)
	c.Default = 0
	o := run(t, c, guard.Add, guard.Settings{}, &world{broken: true})
	if o.State != guard.Failed || o.Refuses() || o.Policy.String() != "invalid" {
		t.Errorf("state %v, policy %v, refuses %t", o.State, o.Policy, o.Refuses())
	}
}

func TestRunLeavesOut(t *testing.T) {
	w := &world{broken: true}
	off := guard.Settings{Checks: map[string]guard.Setting{"thing": {Policy: guard.Off}}}
	elsewhere := mendable(mend)
	elsewhere.When = guard.Del
	never := mendable(mend)
	never.When = 0
	for name, report := range map[string]guard.Report{
		"off":           guard.Run(t.Context(), []*check{mendable(mend)}, guard.Add, off, w),
		"off, audit":    guard.Run(t.Context(), []*check{mendable(mend)}, guard.Add, guard.Settings{Audit: true, Checks: off.Checks}, w),
		"another stage": guard.Run(t.Context(), []*check{elsewhere}, guard.Add, guard.Settings{}, w),
		"no stage":      guard.Run(t.Context(), []*check{never}, guard.Add, guard.Settings{}, w),
		"no suite":      guard.Run[world](t.Context(), nil, guard.Add, guard.Settings{}, w),
	} {
		if len(report.Outcomes) > 0 || w.probes > 0 {
			t.Errorf("%s: outcomes %v after %d probes", name, report.Outcomes, w.probes)
		}
	}
}

func TestNeeds(t *testing.T) {
	states := func(first *check, set guard.Settings) string {
		first.Name = "first"
		second := probing(sound)
		second.Name, second.Needs = "second", []*check{first}
		var words []string
		for _, o := range guard.Run(t.Context(), []*check{first, second}, guard.Del, set, &world{broken: true}).Outcomes {
			words = append(words, o.Check+" "+o.State.String())
		}
		return strings.Join(words, ", ")
	}
	for name, c := range map[string]struct {
		first *check
		set   guard.Settings
		want  string
	}{
		"failed": {probing(sound), guard.Settings{}, "first failed, second skipped"},
		"warned": {probing(sound), guard.Settings{Audit: true}, "first failed, second skipped"},
		"minor": {probing(func(context.Context, *world) ([]guard.Finding, error) { return []guard.Finding{{Minor: true}}, nil }),
			guard.Settings{}, "first failed, second failed"},
		"repaired": {mendable(mend), guard.Settings{}, "first repaired, second passed"},
		"unknown": {probing(func(context.Context, *world) ([]guard.Finding, error) { return nil, errTrouble }),
			guard.Settings{}, "first unknown, second failed"},
		"off": {probing(sound), guard.Settings{Checks: map[string]guard.Setting{"first": {Policy: guard.Off}}}, "second failed"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := states(c.first, c.set); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}
