// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// oldBundles is the folder of bundles of broken nodes, as text: the files of each in their
// order, and before them what doctor finds, a line for each finding.
const oldBundles = "testdata/bundles"

// Bundles that were made before are judged as they were: a node that is gone cannot be bundled
// again. If a check says the same in other words, UPDATE=1 rewrites the findings; the
// bundles themselves are not made again with each version, but by scripts/bundles.sh, which adds
// those that are in the folder CNI_GUARD_BUNDLES.
func TestOldBundles(t *testing.T) {
	update := os.Getenv("UPDATE") == "1"
	if dir := os.Getenv("CNI_GUARD_BUNDLES"); dir != "" {
		update = true
		importBundles(t, dir)
	}
	paths, err := filepath.Glob(filepath.Join(oldBundles, "*.txtar"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("there are no bundles: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got := findingsOf(t, a)
			if update {
				a.Comment = []byte(got)
				if err := os.WriteFile(path, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if string(a.Comment) != got || got == "" {
				t.Errorf("doctor finds\n%sand found\n%s", got, a.Comment)
			}
		})
	}
}

// findingsOf has doctor judge a bundle and returns its findings, a line each.
func findingsOf(t *testing.T, a *txtar.Archive) string {
	t.Helper()
	var parts []part
	for _, f := range a.Files {
		parts = append(parts, part{Header: tar.Header{Name: f.Name, Typeflag: tar.TypeReg, Mode: 0o600}, content: f.Data})
	}
	file := filepath.Join(t.TempDir(), "b.tar.gz")
	if err := os.WriteFile(file, pack(t, parts...), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	run(&stdout, &stderr, []string{"doctor", "--bundle", file, "-o", "json"})
	var report struct {
		Checks []struct {
			ID       string
			Findings []struct {
				Object, Problem string
				Minor           bool
			}
		}
	}
	if err := json.Unmarshal(stdout.Bytes(), &report); err != nil {
		t.Fatalf("%v: %s%s", err, &stdout, &stderr)
	}
	var lines strings.Builder
	for _, c := range report.Checks {
		for _, f := range c.Findings {
			minor := map[bool]string{true: " (minor)"}[f.Minor]
			fmt.Fprintf(&lines, "%s%s %s %s\n", c.ID, minor, f.Object, f.Problem)
		}
	}
	return lines.String()
}

// importBundles writes the bundles of a folder as text. What the machine that ran the nodes is
// like, which is in /proc, is left out.
func importBundles(t *testing.T, dir string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.tar.gz"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("there are no bundles in %s: %v", dir, err)
	}
	kernel := regexp.MustCompile(`"kernel": "[^"]*"`)
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var manifest map[string]any
		a := &txtar.Archive{}
		kept := map[string]bool{}
		parts := unpack(t, content)
		for i := range parts[1:] {
			p := &parts[i+1]
			if strings.HasPrefix(p.Name, "files/proc/") {
				continue
			}
			kept[p.Name] = true
			p.content = kernel.ReplaceAll(p.content, []byte(`"kernel": "6.18"`))
			if !bytes.HasSuffix(p.content, []byte("\n")) { // as text has to
				p.content = append(p.content, '\n')
			}
			parts = edit(t, parts, p.Name, func(text []byte) []byte { return text })
			a.Files = append(a.Files, txtar.File{Name: p.Name, Data: p.content})
		}
		if err := json.Unmarshal(parts[0].content, &manifest); err != nil {
			t.Fatal(err)
		}
		var listed []any
		for _, one := range manifest["files"].([]any) {
			if kept[one.(map[string]any)["name"].(string)] {
				listed = append(listed, one)
			}
		}
		manifest["files"] = listed
		text, err := json.MarshalIndent(manifest, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		a.Files = append([]txtar.File{{Name: "manifest.json", Data: append(text, '\n')}}, a.Files...)
		name := strings.TrimSuffix(filepath.Base(path), ".tar.gz") + ".txtar"
		if err := os.WriteFile(filepath.Join(oldBundles, name), txtar.Format(a), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
