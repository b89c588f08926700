// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
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
	root.AddCommand(Command(suite))
	dir := t.TempDir()
	var out, errs bytes.Buffer
	code = cli.Run(root, &out, &errs, append([]string{"doctor", "--runtime", "crio", "--conf-dir", dir, "--bin-dir", dir, "--record-dir", dir}, args...))
	return out.String(), errs.String(), code
}

func TestExitCode(t *testing.T) {
	bad := []guard.Finding{{Object: "node/x", Problem: "is down"}}
	minor := []guard.Finding{{Object: "node/x", Problem: "is odd", Minor: true}}
	passed, failed := check("passed", guard.Node, nil, nil), check("failed", guard.Node, bad, nil)
	unknown := check("unknown", guard.Node, nil, errors.New("read x: no answer"))
	for name, c := range map[string]struct {
		suite []*checks.Check
		args  []string
		code  int
		want  string // in the output
	}{
		"no checks":       {nil, nil, cli.ExitOK, "CRI-O with "},
		"passed":          {[]*checks.Check{passed}, nil, cli.ExitOK, "passed   passed\n"},
		"of a pod":        {[]*checks.Check{check("pod", guard.Add, bad, nil)}, nil, cli.ExitOK, "the defaults, as no file has an entry"},
		"minor":           {[]*checks.Check{check("minor", guard.Node, minor, nil)}, nil, cli.ExitOK, "node/x is odd"},
		"failed":          {[]*checks.Check{passed, failed, unknown}, nil, cli.ExitFindings, "node/x is down"},
		"unknown":         {[]*checks.Check{passed, unknown}, nil, cli.ExitUnknown, "read x: no answer"},
		"only the passed": {[]*checks.Check{passed, failed, unknown}, []string{"--check", "passed"}, cli.ExitOK, "passed   passed\n"},
		"only two":        {[]*checks.Check{passed, failed, unknown}, []string{"--check", "unknown,passed"}, cli.ExitUnknown, "passed   passed\nunknown  unknown\n"},
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
	if stdout, _, code := runDoctor(t, suite); code != cli.ExitFindings || !strings.Contains(stdout, "failed   mendable") {
		t.Errorf("without --repair the exit code is %d:\n%s", code, stdout)
	}
	suite[0].Repair = func(context.Context, *checks.Target) error { return errors.New("not permitted") }
	if stdout, _, code := runDoctor(t, suite, "--repair", "-o", "json"); code != cli.ExitUnknown && code != cli.ExitFindings || !json.Valid([]byte(stdout)) {
		t.Errorf("where the repair fails the exit code is %d:\n%s", code, stdout)
	}
}
