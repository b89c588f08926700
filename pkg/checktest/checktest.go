// SPDX-License-Identifier: Apache-2.0

package checktest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/guard"
)

// Run runs the fixtures of all checks of the suite, DIR/CHECK/CASE.txtar, and
// fails the test for a check that lacks one of the fixtures that each must have.
func Run(t *testing.T, suite []*checks.Check, dir string) {
	for _, stray := range strays(suite, dir) {
		t.Errorf("%s: there is no check of that name", stray)
	}
	for _, c := range suite {
		t.Run(c.Name, func(t *testing.T) {
			fixtures, err := loadAll(filepath.Join(dir, c.Name))
			if err != nil {
				t.Fatal(err)
			}
			for _, missing := range missingFixtures(c, fixtures) {
				t.Errorf("add %s: %s (go doc ./pkg/checktest describes the form)", filepath.Join(dir, c.Name, "NAME.txtar"), missing)
			}
			for _, f := range fixtures {
				t.Run(f.name, func(t *testing.T) { f.run(t, c) })
			}
		})
	}
}

func (f *fixture) run(t *testing.T, c *checks.Check) {
	t.Run("fake", func(t *testing.T) {
		if err := f.onFake(c); err != nil {
			t.Error(err)
		}
	})
	if f.setup == "" {
		return
	}
	t.Run("kernel", func(t *testing.T) {
		if os.Getenv(replaying) == "" {
			inNode(t)
			return
		}
		if err := f.onKernel(c); err != nil {
			t.Error(err)
		}
	})
}

// missingFixtures returns the kinds of fixtures that every check must have and this one
// does not.
func missingFixtures(c *checks.Check, fixtures []*fixture) []string {
	var missing []string
	require := func(what string, is func(*fixture) bool) {
		if !slices.ContainsFunc(fixtures, is) {
			missing = append(missing, what)
		}
	}
	require("a passing fixture, whose section want is empty",
		func(f *fixture) bool { return f.want.passes() })
	require("a failing fixture, whose section want has a finding, OBJECT PROBLEM",
		func(f *fixture) bool { return f.want.fails() })
	require("an unreadable fixture, whose section want is \"unknown: PART OF THE ERROR\" (a line \"fail METHOD = ERROR\" in node or pod makes a read fail)",
		func(f *fixture) bool { return f.want.unknown != "" })
	require("a positive control: a failing fixture with a section setup, whose shell commands make the check fail in a real namespace",
		func(f *fixture) bool { return f.want.fails() && f.setup != "" })
	if c.Repair != nil {
		require("a repaired fixture, with a section node.repaired or pod.repaired and a section setup",
			func(f *fixture) bool { return f.repairs() && f.setup != "" })
	}
	return missing
}

// strays returns the directories of fixtures that belong to no check of the suite.
func strays(suite []*checks.Check, dir string) []string {
	dirs, _ := filepath.Glob(filepath.Join(dir, "*"))
	return slices.DeleteFunc(dirs, func(dir string) bool {
		return filepath.Base(dir) == "healthy" || slices.ContainsFunc(suite, func(c *checks.Check) bool { return c.Name == filepath.Base(dir) })
	})
}

func loadAll(dir string) ([]*fixture, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil {
		return nil, fmt.Errorf("list fixtures: %w", err)
	}
	fixtures := make([]*fixture, len(paths))
	for i, path := range paths {
		if fixtures[i], err = load(path); err != nil {
			return nil, err
		}
	}
	return fixtures, nil
}

// stageFor returns the stage at which the fixture runs the check.
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
// root has the directories of the fixture.
func (f *fixture) look(c *checks.Check, stage guard.Stage, t *checks.Target, root string) error {
	got := alone(c, stage, t, false)
	said := outcome{}
	want := f.want.expand(root)
	for _, finding := range got.Findings {
		said.findings = append(said.findings, lineOf(finding))
		if want.hasDetails() {
			said.findings = append(said.findings, detailsOf(finding)...)
		}
	}
	if got.State == guard.Unknown {
		said.unknown = got.Err.Error()
	}
	if got.State == guard.Skipped {
		said.skipped = got.Note
	}
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

// lineOf returns a finding in the form of the want section.
func lineOf(f guard.Finding) string {
	if f.Minor {
		return "minor: " + f.String()
	}
	return f.String()
}

// details are the words before the details of a finding in a want section.
func details() []string { return []string{"evidence: ", "impact: ", "command: "} }

// detailsOf returns the lines of a want section that may follow that of a finding.
func detailsOf(f guard.Finding) (lines []string) {
	for i, text := range []string{f.Evidence, f.Impact, f.Command} {
		if text != "" {
			lines = append(lines, details()[i]+text)
		}
	}
	return lines
}

// hasDetails reports whether want has the details of the findings, which are compared only
// then.
func (o outcome) hasDetails() bool {
	return slices.ContainsFunc(o.findings, func(line string) bool {
		return slices.ContainsFunc(details(), func(word string) bool { return strings.HasPrefix(line, word) })
	})
}

// mend runs the check with its repair and returns an error if it did not do what the fixture
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
