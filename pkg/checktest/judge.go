// SPDX-License-Identifier: Apache-2.0

package checktest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/guard"
)

// stageFor gives the stage at which the fixture runs the check.
func (f *fixture) stageFor(c *checks.Check) (guard.Stage, error) {
	stage := f.stage
	if stage == 0 {
		stage = c.When & -c.When // the lowest bit
	}
	if stage&c.When == 0 {
		return 0, fmt.Errorf("stage %q: the check runs at %s only", stage, c.When)
	}
	return stage, nil
}

// look runs the check without its repair and compares what it says with want.
// root is where the folders of the fixture are.
func (f *fixture) look(c *checks.Check, stage guard.Stage, t *checks.Target, root string) error {
	got := alone(c, stage, t, false)
	said := outcome{}
	for _, finding := range got.Findings {
		said.findings = append(said.findings, lineOf(finding))
	}
	if got.State == guard.Unknown {
		said.unknown = got.Err.Error()
	}
	if got.State == guard.Skipped {
		said.skipped = got.Note
	}
	want := f.want.expand(root)
	same := slices.Equal(said.findings, want.findings) &&
		(said.unknown == "") == (want.unknown == "") &&
		strings.Contains(said.unknown, want.unknown) &&
		(said.skipped == "") == (want.skipped == "") &&
		strings.Contains(said.skipped, want.skipped)
	if !same {
		return fmt.Errorf("the check says\n\t%s\nand not\n\t%s", said, want)
	}
	return nil
}

// lineOf gives a finding as want has it.
func lineOf(f guard.Finding) string {
	if f.Minor {
		return "minor: " + f.String()
	}
	return f.String()
}

// mend runs the check with its repair and tells whether it did what the fixture
// says: remove the finding, or be unable to.
func (f *fixture) mend(c *checks.Check, stage guard.Stage, t *checks.Target) error {
	switch {
	case f.repairs() && c.Repair == nil:
		return errors.New("a .repaired section, and the check has no repair")
	case f.repairs() && !stage.MayRepair():
		return fmt.Errorf("a .repaired section, and nothing is repaired at %s", stage)
	case c.Repair == nil || !f.want.fails():
		return nil
	}
	want := guard.Failed
	if f.repairs() {
		want = guard.Repaired
	}
	if got := alone(c, stage, t, true); got.State != want {
		return fmt.Errorf("after the repair the check has %s, not %s: findings %v, error %w", got.State, want, got.Findings, got.Err)
	}
	return nil
}

// alone runs the check by the engine, but not those that it needs.
func alone(c *checks.Check, stage guard.Stage, t *checks.Target, repair bool) guard.Outcome {
	check := *c
	check.Needs = nil
	settings := guard.Settings{Checks: map[string]guard.Setting{
		c.Name: {Policy: guard.Enforce, Repair: &repair},
	}}
	return guard.Run(context.Background(), []*checks.Check{&check}, stage, settings, t).Outcomes[0]
}
