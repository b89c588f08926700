// SPDX-License-Identifier: Apache-2.0

package guard_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/cni-guard/cni-guard/pkg/guard"
)

// evidence is what the probes of these tests hand over before they look on.
var evidence = guard.Finding{Object: "netns", Problem: "is another pod's"}

// Evidence in hand stands, however the look that follows ends, unless that look
// succeeds.
func TestHold(t *testing.T) {
	other := guard.Finding{Object: "netns", Problem: "is the node's"}
	for name, c := range map[string]struct {
		then  func() ([]guard.Finding, error)
		state guard.State
		want  string
		err   string
	}{
		"fails":                     {func() ([]guard.Finding, error) { return nil, errTrouble }, guard.Failed, "netns is another pod's", "trouble"},
		"panics":                    {func() ([]guard.Finding, error) { panic("oh") }, guard.Failed, "netns is another pod's", "probe panicked"},
		"explains it":               {func() ([]guard.Finding, error) { return nil, nil }, guard.Passed, "", ""},
		"finds another":             {func() ([]guard.Finding, error) { return []guard.Finding{other}, nil }, guard.Failed, "netns is the node's", ""},
		"finds another, then fails": {func() ([]guard.Finding, error) { return []guard.Finding{other}, errTrouble }, guard.Failed, "netns is the node's", "trouble"},
	} {
		t.Run(name, func(t *testing.T) {
			o := run(t, probing(func(ctx context.Context, _ *world) ([]guard.Finding, error) {
				guard.Hold(ctx, evidence)
				return c.then()
			}), guard.Del, guard.Settings{}, new(world))
			if got := sentence(o.Findings); o.State != c.state || got != c.want {
				t.Errorf("state %v, findings %q, want %v, %q", o.State, got, c.state, c.want)
			}
			if (o.Err == nil) != (c.err == "") || o.Err != nil && !strings.Contains(o.Err.Error(), c.err) {
				t.Errorf("error %v, want %q", o.Err, c.err)
			}
		})
	}
	guard.Hold(t.Context(), evidence) // outside of a run: nothing happens
}

func sentence(findings []guard.Finding) string {
	var all []string
	for _, f := range findings {
		all = append(all, f.String())
	}
	return strings.Join(all, ", ")
}

// hanging returns a check that hands over what it is given and does not come back
// before the test ends.
func hanging(name string, end <-chan struct{}, held ...guard.Finding) *check {
	c := probing(func(ctx context.Context, _ *world) ([]guard.Finding, error) {
		guard.Hold(ctx, held...)
		<-end
		return nil, nil // too late to count as a pass
	})
	c.Name = name
	return c
}

func called(c *check, name string) *check { c.Name = name; return c }

// states says what became of the checks: "first failed, second unknown".
func states(r guard.Report) string {
	var words []string
	for _, o := range r.Outcomes {
		words = append(words, o.Check+" "+o.State.String())
	}
	return strings.Join(words, ", ")
}

// While a check hangs, somebody else takes the report: what was found before
// stands, what the check held stands, and everything else is unknown.
func TestReportWhileACheckHangs(t *testing.T) {
	before := called(probing(sound), "before")
	for name, c := range map[string]struct {
		hangs  func(end <-chan struct{}) *check
		broken bool
		want   string
	}{
		"nothing found":     {func(end <-chan struct{}) *check { return hanging("hangs", end) }, false, "before passed, hangs unknown, after unknown"},
		"found before":      {func(end <-chan struct{}) *check { return hanging("hangs", end) }, true, "before failed, hangs unknown, after unknown"},
		"found by this one": {func(end <-chan struct{}) *check { return hanging("hangs", end, evidence) }, false, "before passed, hangs failed, after unknown"},
		"in its repair": {func(end <-chan struct{}) *check {
			c := probing(func(ctx context.Context, _ *world) ([]guard.Finding, error) {
				guard.Hold(ctx, evidence)
				return []guard.Finding{evidence}, nil
			})
			c.Repair = func(context.Context, *world) error { <-end; return nil }
			return called(c, "hangs")
		}, false, "before passed, hangs unknown, after unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				end := make(chan struct{})
				suite := []*check{before, c.hangs(end), called(probing(sound), "after")}
				p := guard.NewPass(suite, guard.Del, guard.Settings{})
				go p.Run(t.Context(), &world{broken: c.broken})
				synctest.Wait()
				r := p.Report(errTrouble)
				if got := states(r); got != c.want {
					t.Errorf("%s, want %s", got, c.want)
				}
				if refuses := strings.Contains(c.want, "failed"); (r.Refusal() != nil) != refuses {
					t.Errorf("refuses: %t, want %t", !refuses, refuses)
				}
				for _, o := range r.Outcomes[1:] {
					if !errors.Is(o.Err, errTrouble) {
						t.Errorf("%s: error %v does not say why", o.Check, o.Err)
					}
				}
				close(end)
				synctest.Wait()
			})
		})
	}
}

// When the time is up in the middle of a pass, what is left is not looked at.
func TestPassWhoseTimeIsUp(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	w := &world{broken: true}
	last := called(probing(sound), "last")
	stop := called(probing(func(context.Context, *world) ([]guard.Finding, error) { cancel(errTrouble); return nil, nil }), "stop")
	r := guard.NewPass([]*check{called(probing(sound), "first"), stop, last}, guard.Add, guard.Settings{}).Run(ctx, w)
	if got, want := states(r), "first failed, stop passed, last unknown"; got != want || w.probes != 1 {
		t.Errorf("%s after %d probes, want %s after 1", got, w.probes, want)
	}
	if err := r.Outcomes[2].Err; !errors.Is(err, errTrouble) || !strings.Contains(err.Error(), "not looked at") {
		t.Errorf("error %v", err)
	}
}

// Run is for those who want all other answers: a check that hangs is given up, and
// the next one runs. What it says afterwards is discarded.
func TestRunGoesOnAfterACheckThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end := make(chan struct{})
		needs := called(probing(sound), "needs")
		held := hanging("held", end, evidence)
		needs.Needs = []*check{held}
		suite := []*check{hanging("hangs", end), held, needs, called(probing(sound), "after")}
		r := guard.Run(t.Context(), suite, guard.Node, guard.Settings{}, &world{broken: true})
		close(end)
		synctest.Wait()
		if got, want := states(r), "hangs unknown, held failed, needs skipped, after failed"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	})
}
