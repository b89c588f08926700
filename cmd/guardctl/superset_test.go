// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/cmd/internal/cli"
	"github.com/cni-guard/cni-guard/cmd/internal/installer"
	"github.com/cni-guard/cni-guard/cmd/internal/report"
	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// Whatever conf, conf diff and the check of the guard's entry report about a directory,
// doctor reports as well: on every directory of the corpus, as it is, with a record of
// another state, and with an entry that is not valid.
func TestDoctorReportsWhatOthersDo(t *testing.T) {
	dirs, err := filepath.Glob("../../pkg/conflist/assess/testdata/*.txtar")
	if err != nil || len(dirs) < 20 {
		t.Fatalf("%d directories, error %v", len(dirs), err)
	}
	reported := map[string]int{}
	for _, path := range dirs {
		name := strings.TrimSuffix(filepath.Base(path), ".txtar")
		for _, change := range []string{"as it is", "record", "entry"} {
			dir := unpackShape(t, name)
			records := t.TempDir()
			switch change {
			case "record":
				writeRecord(t, records, dir)
			case "entry":
				breakEntries(t, dir)
			}
			args := []string{"--runtime", "containerd", "--conf-dir", dir, "--record-dir", records}
			doctor, code := doctorReport(t, args)
			for command, others := range map[string]int{
				"conf":      exitOf(t, append([]string{"conf"}, args...)),
				"conf diff": exitOf(t, append([]string{"conf", "diff"}, args...)),
				"entry":     entryCode(dir),
			} {
				if command == "conf diff" && change != "record" {
					continue // it says only that there is no record
				}
				if others == cli.ExitOK {
					continue
				}
				reported[command]++
				if doctor.Summary.Failed+doctor.Summary.Minor+doctor.Summary.Unknown == 0 {
					t.Errorf("%s, %s: %s has exit code %d, and doctor reports nothing", name, change, command, others)
				}
				if command != "conf diff" && code == cli.ExitOK {
					t.Errorf("%s, %s: %s has exit code %d, and doctor 0", name, change, command, others)
				}
			}
		}
	}
	for _, command := range []string{"conf", "conf diff", "entry"} {
		if reported[command] < 5 {
			t.Errorf("%s reported something %d times, which proves nothing", command, reported[command])
		}
	}
}

// doctorReport runs the checks of doctor that read the conf dir.
func doctorReport(t *testing.T, args []string) (r report.Report, code int) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(&stdout, &stderr, append([]string{"doctor", "-o", "json", "--check", "conflist,guard-placement,runtime-state,chain-plugins,conf-changes,pod-networks"}, args...))
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		t.Fatalf("doctor %q: %v\n%s%s", args, err, &stdout, &stderr)
	}
	return r, code
}

func exitOf(t *testing.T, args []string) int {
	t.Helper()
	var stdout, stderr bytes.Buffer
	return run(&stdout, &stderr, args)
}

// entryCode is the exit code for an entry of the guard in the selected file: 1 if it is not
// valid.
func entryCode(dir string) int {
	l, err := conflist.Effective(dir, conflist.NewRuntime(conflist.Containerd))
	if err != nil {
		return cli.ExitOK
	}
	list, err := conflist.Read(dir, l.Name)
	if err != nil {
		return cli.ExitOK
	}
	if _, problems, _ := checks.EntryIn(list); checks.EntryErrors(problems) != "" {
		return cli.ExitFindings
	}
	return cli.ExitOK
}

// breakEntries gives each entry of the guard a key that is a typo.
func breakEntries(t *testing.T, dir string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		path := filepath.Join(dir, f.Name())
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range []string{`"type": "cni-guard"`, `"type":"cni-guard"`} {
			text = bytes.ReplaceAll(text, []byte(entry), []byte(entry+`, "chekcs": {}`))
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// writeRecord records a directory that had another file.
func writeRecord(t *testing.T, records, dir string) {
	t.Helper()
	r := installer.Record{
		Site:     installer.Node{Runtime: conflist.Containerd, MaxConfNum: 1, ConfDir: dir},
		Snapshot: installer.Snapshot{Effective: "00-was.conflist", Files: map[string]string{"00-was.conflist": "0"}},
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(records, "install.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
}
