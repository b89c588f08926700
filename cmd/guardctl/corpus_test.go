// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/cni-guard/cni-guard/cmd/internal/cli"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
)

// Of directories of the corpus in pkg/conflist/assess, the built commands say what Assess
// does: conf and doctor agree with each other, and each command that conf prints to put
// a file away works as it stands, and leaves the intended network.
func TestCommandsAgree(t *testing.T) {
	for _, name := range []string{
		"calico", "calico_guarded", "flannel_weave_first", "kubespray_weave_behind", "kubespray_unguarded", "two_leftovers_first",
		"cilium_chained_aws", "istio_owned", "multus_thin_guarded", "multus_elsewhere", "containerd_sample_first",
		"backup_first_no_record", "hidden_copy", "twins", "old_single", "own_without_guard", "broken_leftover", "own_empty", "two_guarded",
	} {
		t.Run(name, func(t *testing.T) {
			dir := unpackShape(t, name)
			s, err := conflist.Select(dir, conflist.NewRuntime(conflist.Containerd))
			if err != nil {
				t.Fatal(err)
			}
			a := assess.Assess(s, assess.Intent{})
			conf := confJSON(t, dir)
			if conf.Intended != a.Intended {
				t.Errorf("conf intends %q, want %q", conf.Intended, a.Intended)
			}
			for _, f := range conf.Files {
				if f.Role != a.Role(f.Name) {
					t.Errorf("conf calls %s %s, want %s", f.Name, f.Role, a.Role(f.Name))
				}
			}
			var kinds, want []string
			for _, f := range conf.Findings {
				if f.Kind != "plugin-missing" {
					kinds = append(kinds, f.Kind)
				}
			}
			for _, p := range a.Problems {
				want = append(want, string(p.Kind))
			}
			if !slices.Equal(kinds, want) {
				t.Errorf("conf finds %q, want %q", kinds, want)
			}
			if got, want := doctorState(t, dir), stateIn(a); got != want {
				t.Errorf("doctor says %s, want %s", got, want)
			}
			follow(t, dir, conf)
		})
	}
}

// unpackShape makes a directory of the corpus.
func unpackShape(t *testing.T, name string) string {
	t.Helper()
	archive, err := txtar.ParseFile(filepath.Join("../../pkg/conflist/assess/testdata", name+".txtar"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, f := range archive.Files {
		if name, ok := strings.CutPrefix(f.Name, "net.d/"); ok {
			if err := os.WriteFile(filepath.Join(dir, name), f.Data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

// runGuardctl runs the command on a directory, and returns what it printed.
func runGuardctl(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.Command("guardctl", args...)
	var exit *exec.ExitError
	out, err := cmd.Output()
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() > cli.ExitUnknown) {
		t.Fatalf("guardctl %q: %v: %s", args, err, out)
	}
	return out
}

// A confAnswer is what the test reads of conf -o json.
type confAnswer struct {
	Intended string
	Files    []struct {
		Name string
		Role assess.Role
	}
	Findings []struct{ Kind, Command string }
}

func confJSON(t *testing.T, dir string) (r confAnswer) {
	t.Helper()
	out := runGuardctl(t, "conf", "-o", "json", "--runtime", "containerd", "--conf-dir", dir, "--record-dir", dir)
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return r
}

// doctorState is what doctor says of the check conflist.
func doctorState(t *testing.T, dir string) string {
	t.Helper()
	var r struct {
		Checks []struct {
			Name, State string
			Findings    []struct{ Minor bool }
		}
	}
	out := runGuardctl(t, "doctor", "-o", "json", "--runtime", "containerd", "--conf-dir", dir, "--record-dir", dir)
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, c := range r.Checks {
		if c.Name == "conflist" {
			return c.State
		}
	}
	t.Fatalf("doctor has no check conflist: %s", out)
	return ""
}

func stateIn(a assess.Assessment) string {
	switch {
	case slices.ContainsFunc(a.Problems, func(p assess.Problem) bool { return !p.Unknown }):
		if !slices.ContainsFunc(a.Problems, func(p assess.Problem) bool { return !p.Unknown && !p.Minor }) {
			return "minor"
		}
		return "failed"
	case a.Inconclusive():
		return "unknown"
	}
	return "passed"
}

// follow runs each command that puts files away, and looks at what the runtime takes.
func follow(t *testing.T, dir string, conf confAnswer) {
	t.Helper()
	for _, f := range conf.Findings {
		words := strings.Fields(f.Command)
		if len(words) < 3 || words[1] != "conf" {
			continue
		}
		if out, err := exec.Command("guardctl", words[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", f.Command, err, out)
		}
		s, err := conflist.Select(dir, conflist.NewRuntime(conflist.Containerd))
		if err != nil {
			t.Fatal(err)
		}
		if e, intended := s.Effective(), s.Find(conf.Intended); e == nil || intended == nil || e.Network != intended.Network && !e.Multus() {
			t.Fatalf("after %s pods get %+v (%v), and %s is intended", f.Command, e, s.Err, conf.Intended)
		}
	}
}
