// SPDX-License-Identifier: Apache-2.0

package guard_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/guard"
)

func TestSkip(t *testing.T) {
	skip := guard.Skip("there is no moon")
	wrapped := fmt.Errorf("look up: %w", skip)
	for name, c := range map[string]struct {
		probe func(context.Context, *world) ([]guard.Finding, error)
		state guard.State
		note  string
	}{
		"skips":   {func(context.Context, *world) ([]guard.Finding, error) { return nil, skip }, guard.Skipped, "skipped: there is no moon"},
		"wrapped": {func(context.Context, *world) ([]guard.Finding, error) { return nil, wrapped }, guard.Skipped, "skipped: there is no moon"},
		"findings stand": {func(context.Context, *world) ([]guard.Finding, error) {
			return make([]guard.Finding, 1), skip
		}, guard.Failed, ""},
		"what was held does not": {func(ctx context.Context, _ *world) ([]guard.Finding, error) {
			guard.Hold(ctx, guard.Finding{Object: "world"})
			return nil, skip
		}, guard.Skipped, "skipped: there is no moon"},
	} {
		t.Run(name, func(t *testing.T) {
			o := run(t, probing(c.probe), guard.Add, guard.Settings{}, new(world))
			if o.State != c.state || o.Note != c.note || o.Err != nil {
				t.Errorf("state %v, note %q, error %v, want %v, %q", o.State, o.Note, o.Err, c.state, c.note)
			}
			if c.state == guard.Skipped && (o.Refuses() || o.Noteworthy()) {
				t.Error("a check that does not apply refuses, or is noteworthy")
			}
		})
	}
}

// A repair after which the check no longer applies has worked.
func TestSkipAfterRepair(t *testing.T) {
	c := mendable(mend)
	c.Probe = func(_ context.Context, w *world) ([]guard.Finding, error) {
		if w.broken {
			return []guard.Finding{{Object: "world", Problem: "is broken"}}, nil
		}
		return nil, guard.Skip("there is no moon")
	}
	if o := run(t, c, guard.Add, guard.Settings{}, &world{broken: true}); o.State != guard.Repaired {
		t.Errorf("state %v, error %v", o.State, o.Err)
	}
}
