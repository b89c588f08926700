// SPDX-License-Identifier: Apache-2.0

package checktest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/checks"
)

// Run runs the fixtures of all checks of the suite, DIR/CHECK/CASE.txtar, and
// fails the test for a check that lacks one of the fixtures that each must have.
func Run(t *testing.T, suite []*checks.Check, dir string) {
	for _, folder := range strays(suite, dir) {
		t.Errorf("%s: there is no check of that name", folder)
	}
	for _, c := range suite {
		t.Run(c.Name, func(t *testing.T) {
			fixtures, err := loadAll(filepath.Join(dir, c.Name))
			if err != nil {
				t.Fatal(err)
			}
			for _, lack := range lacks(c, fixtures) {
				t.Errorf("%s has no %s: add one to %s", c.Name, lack, filepath.Join(dir, c.Name))
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

// lacks names the fixtures that every check must have and this one has not.
func lacks(c *checks.Check, fixtures []*fixture) []string {
	var lack []string
	require := func(what string, is func(*fixture) bool) {
		if !slices.ContainsFunc(fixtures, is) {
			lack = append(lack, what)
		}
	}
	require("passing fixture (an empty want)",
		func(f *fixture) bool { return f.want.passes() })
	require("failing fixture (a want with a finding)",
		func(f *fixture) bool { return f.want.fails() })
	require("unreadable fixture (a want with an unknown)",
		func(f *fixture) bool { return f.want.unknown != "" })
	require("positive control (a failing fixture with a setup, so that it is seen to fire in a real namespace)",
		func(f *fixture) bool { return f.want.fails() && f.setup != "" })
	if c.Repair != nil {
		require("repaired fixture (one with a .repaired section and a setup)",
			func(f *fixture) bool { return f.repairs() && f.setup != "" })
	}
	return lack
}

// strays lists the folders of fixtures that belong to no check of the suite.
func strays(suite []*checks.Check, dir string) []string {
	folders, _ := filepath.Glob(filepath.Join(dir, "*"))
	return slices.DeleteFunc(folders, func(folder string) bool {
		return filepath.Base(folder) == "healthy" || slices.ContainsFunc(suite, func(c *checks.Check) bool { return c.Name == filepath.Base(folder) })
	})
}

func loadAll(folder string) ([]*fixture, error) {
	paths, err := filepath.Glob(filepath.Join(folder, "*.txtar"))
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
