// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestUnknownNamesTheValidOnes(t *testing.T) {
	for _, test := range []struct{ scenario, runtime, want string }{
		{"path-to-nod", "", `no scenario "path-to-nod": there are add-into-node, add-into-node-inline,`},
		{"", "criu", `no runtime "criu": there are containerd, containerd2, crio, libcni, podman`},
	} {
		if _, err := choose(test.scenario, test.runtime); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("choose(%q, %q) says %v, want %q", test.scenario, test.runtime, err, test.want)
		}
	}
}

func TestChooseOne(t *testing.T) {
	s, err := choose("path-to-node", "containerd2")
	if err != nil {
		t.Fatal(err)
	}
	if len(s.scenarios) != 1 || len(s.kinds) != 1 || s.scenarios[0].Name != "path-to-node" || s.kinds[0].name != "containerd2" {
		t.Errorf("got %d scenarios, %d runtimes", len(s.scenarios), len(s.kinds))
	}
}

func TestMissingPrograms(t *testing.T) {
	s, err := choose("", "containerd")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", t.TempDir())
	missing := s.missing(locations{guard: "/nowhere"})
	for _, want := range []string{
		"runc is missing: apt-get install runc provides it",
		"containerd is missing: apt-get install containerd provides it",
		"/nowhere/cni-guard is missing: scripts/conformance.sh provides it",
	} {
		if !strings.Contains(missing.Error(), want) {
			t.Errorf("%q is not in %v", want, missing)
		}
	}
}

// A reason that names no runtime would never be given.
func TestReasonsNameRuntimes(t *testing.T) {
	s, err := choose("", "")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, k := range s.kinds {
		known[k.name] = true
	}
	for _, sc := range s.scenarios {
		for _, reasons := range []map[string]string{sc.Spared, sc.NotOn} {
			for name, reason := range reasons {
				if !known[name] || reason == "" {
					t.Errorf("%s has the reason %q for the runtime %q", sc.Name, reason, name)
				}
			}
		}
	}
}

// The page is written by a run that takes minutes and needs root; this sees that
// there was one since the last change of a scenario or of the page's frame.
func TestPageIsOfTheseScenarios(t *testing.T) {
	page, err := os.ReadFile("../docs/conformance.md")
	if err != nil {
		t.Fatal(err)
	}
	s, err := choose("", "")
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.describe(func(k kind) (string, error) { return k.name, nil })
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range r.Parts() {
		if !strings.Contains(string(page), part) {
			t.Errorf("docs/conformance.md is stale, run scripts/conformance.sh -page, or play what changed and -join: it lacks\n%s", part)
		}
	}
}

func TestCgroupsAreRemoved(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"memory/mine/a/b", "cpu/mine", "mine/c", "memory/other"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := removeCgroups(root, "mine"); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]bool{"memory/mine": false, "cpu/mine": false, "mine": false, "memory/other": true} {
		if _, err := os.Stat(filepath.Join(root, dir)); (err == nil) != want {
			t.Errorf("%s is there: %t, want %t", dir, err == nil, want)
		}
	}
}
