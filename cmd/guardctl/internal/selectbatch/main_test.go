// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestServe(t *testing.T) {
	full, empty := t.TempDir(), t.TempDir()
	for path, content := range map[string]string{filepath.Join(full, "a.conf"): `{"name":"n","type":"p"}`, filepath.Join(empty, "readme"): ""} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	in := fmt.Sprintf(`{"dir":%q,"runtime":"containerd","maxConfNum":1}
{"dir":"gone","runtime":"containerd","maxConfNum":1}
{"dir":%q,"runtime":"crio"}
`, full, empty)
	var out strings.Builder
	if err := serve(strings.NewReader(in), &out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	want := []string{
		`^{"files":\[{"Name":"a.conf","Verdict":"selected".*"effective":"a.conf"}$`,
		`^{"error":"read \w+.*: open gone: no such file or directory"`,
		`^{"disabled":"the runtime loads no network: .*"Name":"readme","Verdict":"not loadable"`,
	}
	if len(lines) != len(want) {
		t.Fatalf("%d answers to %d requests:\n%s", len(lines), len(want), &out)
	}
	for i, pattern := range want {
		if !regexp.MustCompile(pattern).MatchString(lines[i]) {
			t.Errorf("answer %d is %s, want %s", i, lines[i], pattern)
		}
	}
}

func TestServeInvalidRequest(t *testing.T) {
	if err := serve(strings.NewReader(`{"runtime":"docker"}`), &strings.Builder{}); err == nil || !strings.Contains(err.Error(), "read request") {
		t.Errorf("got %v", err)
	}
}
