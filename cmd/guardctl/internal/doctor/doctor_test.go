// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/internal/cli"
	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/guard"
)

// check returns a check with a fixed result, which a repair clears.
func check(name string, when guard.Stage, findings []guard.Finding, err error) *checks.Check {
	return &checks.Check{
		Name: name, When: when, Default: guard.Warn, Remedy: "Mend " + name + ".",
		Probe: func(context.Context, *checks.Target) ([]guard.Finding, error) { return findings, err },
		Repair: func(context.Context, *checks.Target) error {
			findings = nil
			return nil
		},
	}
}

// runDoctor runs doctor with a suite of its own on an empty conf dir.
func runDoctor(t *testing.T, suite []*checks.Check, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	root := &cobra.Command{Use: "guardctl"}
	root.AddCommand(Command(suite, "v1"))
	dir := t.TempDir()
	// The state directory is one of the test: a repair is recorded in it.
	entry := fmt.Sprintf(`{"cniVersion":"1.0.0","name":"a","plugins":[{"type":"a"},{"type":"cni-guard","stateDir":%q}]}`, t.TempDir())
	if err := os.WriteFile(filepath.Join(dir, "10-a.conflist"), []byte(entry), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	code = cli.Run(root, &out, &errs, append([]string{"doctor", "--runtime", "crio", "--conf-dir", dir, "--bin-dir", dir, "--record-dir", dir}, args...))
	return out.String(), errs.String(), code
}

func TestExitCode(t *testing.T) {
	bad := []guard.Finding{{Object: "node/x", Problem: "is down"}}
	minor := []guard.Finding{{Object: "node/x", Problem: "is odd", Minor: true}}
	passed, failed := check("passed", guard.Node, nil, nil), check("failed", guard.Node, bad, nil)
	unknown := check("unknown", guard.Node, nil, errors.New("read x: no answer"))
	numbered := check("numbered", guard.Node, bad, nil)
	numbered.ID = "CG999"
	for name, c := range map[string]struct {
		suite []*checks.Check
		args  []string
		code  int
		want  string // in the output
	}{
		"no checks":       {nil, nil, cli.ExitOK, "No check ran. Exit code 0: no problem."},
		"passed":          {[]*checks.Check{passed}, nil, cli.ExitOK, "Other: 1 passed\n"},
		"of a pod":        {[]*checks.Check{check("pod", guard.Add, bad, nil)}, nil, cli.ExitOK, "10-a.conflist\n"},
		"minor":           {[]*checks.Check{check("minor", guard.Node, minor, nil)}, nil, cli.ExitOK, "node/x is odd"},
		"failed":          {[]*checks.Check{passed, failed, unknown}, nil, cli.ExitFindings, "node/x is down"},
		"unknown":         {[]*checks.Check{passed, unknown}, nil, cli.ExitUnknown, "read x: no answer"},
		"only the passed": {[]*checks.Check{passed, failed, unknown}, []string{"--check", "passed"}, cli.ExitOK, "Other: 1 passed\n"},
		"only two":        {[]*checks.Check{passed, failed, unknown}, []string{"--check", "unknown,passed"}, cli.ExitUnknown, "unknown  unknown\n    read x: no answer\n    more      guardctl explain unknown\n  1 passed\n"},
		"without one":     {[]*checks.Check{passed, failed, unknown}, []string{"--skip", "failed", "-v"}, cli.ExitUnknown, "passed   passed\n"},
		"by ID":           {[]*checks.Check{passed, numbered}, []string{"--check", "cg999"}, cli.ExitFindings, "finding  CG999 numbered\n    node/x is down\n      do        Mend numbered.\n"},
		"minor counts":    {[]*checks.Check{check("minor", guard.Node, minor, nil)}, []string{"--fail-on", "minor"}, cli.ExitFindings, "Exit code 1: at least one check has a minor finding."},
		"nothing counts":  {[]*checks.Check{failed}, []string{"--fail-on", "never"}, cli.ExitOK, "does not count by --fail-on"},
		"short":           {[]*checks.Check{passed, failed, unknown}, []string{"--short"}, cli.ExitFindings, "finding failed: node/x is down\nunknown unknown: read x: no answer\n"},
		"npd":             {[]*checks.Check{passed, failed, unknown}, []string{"-o", "npd"}, cli.ExitFindings, "failed: node/x is down (+1)\n"},
		"prom":            {[]*checks.Check{passed}, []string{"-o", "prom"}, cli.ExitOK, `cni_guard_check_state{check="passed",id="",state="passed"} 1`},
		"no such format":  {nil, []string{"-o", "yaml"}, cli.ExitUsage, ""},
		"short json":      {nil, []string{"--short", "-o", "json"}, cli.ExitUsage, ""},
		"wait and watch":  {nil, []string{"--wait", "1s", "--watch"}, cli.ExitUsage, ""},
		"fail on what":    {nil, []string{"--fail-on", "errors"}, cli.ExitUsage, ""},
		"none of that":    {[]*checks.Check{passed}, []string{"--check", "pasted"}, cli.ExitUsage, ""},
	} {
		stdout, stderr, code := runDoctor(t, c.suite, c.args...)
		if code != c.code || !strings.Contains(stdout, c.want) {
			t.Errorf("%s: exit code %d, want %d and %q:\n%s%s", name, code, c.code, c.want, stdout, stderr)
		}
	}
}

// Nothing is repaired unless that is asked for.
func TestRepair(t *testing.T) {
	suite := []*checks.Check{check("mendable", guard.Node, []guard.Finding{{Object: "node/x", Problem: "is down"}}, nil)}
	if stdout, _, code := runDoctor(t, suite); code != cli.ExitFindings || !strings.Contains(stdout, "finding  mendable") {
		t.Errorf("without --repair the exit code is %d:\n%s", code, stdout)
	}
	suite[0].Repair = func(context.Context, *checks.Target) error { return errors.New("not permitted") }
	if stdout, _, code := runDoctor(t, suite, "--repair", "-o", "json"); code != cli.ExitUnknown && code != cli.ExitFindings || !json.Valid([]byte(stdout)) {
		t.Errorf("where the repair fails the exit code is %d:\n%s", code, stdout)
	}
}
