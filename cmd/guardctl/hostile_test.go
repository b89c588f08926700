// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

// hostile is a name that anybody may give: it colours a terminal (C0, C1), deletes,
// turns the direction round, hides, and begins a line of its own.
const hostile = "x\x1b[31m\u009b31m\x7f\u202e\u200b\nFORGED"

// hostileRuns are, for each command, the arguments with which it meets hostile names: in
// the conf dir C, the cache K, the state S, the plugins B, and among the arguments. A
// command that is added needs a line here.
func hostileRuns() map[string][]string {
	const site = "--runtime containerd --conf-dir C --bin-dir B"
	return map[string][]string{
		"guardctl bundle":           {"--dry-run " + site, "N"},
		"guardctl checks":           {"", "N"},
		"guardctl doctor":           {"--runtime containerd --conf-dir C", "N"},
		"guardctl events":           {"--state-dir S", "--state-dir S --check N", "--state-dir C/N"},
		"guardctl explain":          {"N"},
		"guardctl release":          {"--container-id N --network N --cache-dir K --conf-dir C --bin-dir B", "--container-id c1 --network pods --cache-dir K --conf-dir C --bin-dir B"},
		"guardctl status":           {"--socket C/N", "N"},
		"guardctl trace":            {"--for 100ms " + site, "--kind N"},
		"guardctl tunnels":          {"", "--peers N", "--kinds N"},
		"guardctl tunnels warm":     {"--state-dir S", "--peers N"},
		"guardctl verify":           {"--bin-dir C/N", "--chain N"},
		"guardctl verify-inside":    {"N"},
		"guardctl verify-hold":      {"N"},
		"guardctl version":          {"", "N"},
		"guardctl conf":             {site, "--runtime N"},
		"guardctl conf diff":        {site + " --record-dir C/N"},
		"guardctl conf list":        {site},
		"guardctl conf quarantine":  {site + " N", site + " C/05-N.conflist --why N"},
		"guardctl conf quarantined": {site},
		"guardctl conf restore":     {site + " N", site + " 05-N.conflist"},
		"guardctl install":          {site + " --from B --record-dir S/record --dry-run"},
		"guardctl uninstall":        {site + " --record-dir S/record --dry-run", "--record-dir C/N"},
		"guardctl upgrade":          {site + " --from B --record-dir S/record --dry-run"},
	}
}

// Nothing that a command prints, as text or as JSON, carries what a terminal obeys, nor
// lines that a name began. All commands are walked.
func TestNoCommandPrintsHostileNames(t *testing.T) {
	checktest.PrivateNode(t)
	runs := hostileRuns()
	walked := 0
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, c := range cmd.Commands() {
			walk(c)
		}
		if cmd.RunE == nil && cmd.Run == nil {
			return
		}
		walked++
		path := cmd.CommandPath()
		if len(runs[path]) == 0 {
			t.Errorf("%s is not in hostileRuns: add arguments with which it meets hostile names", path)
		}
		for _, args := range runs[path] {
			for _, format := range formatsOf(cmd) {
				runHostile(t, strings.Fields(path)[1:], args, format)
			}
		}
	}
	walk(root())
	if walked < 15 {
		t.Errorf("only %d commands were walked: %v", walked, slices.Collect(maps.Keys(runs)))
	}
}

// formatsOf returns the flags for each format that a command has.
func formatsOf(cmd *cobra.Command) [][]string {
	flag := cmd.Flags().Lookup("output")
	if flag == nil {
		return [][]string{nil}
	}
	formats := [][]string{{"--output", "text"}}
	if strings.Contains(flag.Usage, "json") {
		formats = append(formats, []string{"--output", "json"})
	}
	return formats
}

func runHostile(t *testing.T, path []string, args string, format []string) {
	t.Helper()
	in := hostileFolders(t)
	words := slices.Concat(path, strings.Fields(args), format)
	for i, word := range words {
		for name, dir := range in {
			if word == name || strings.HasPrefix(word, name+"/") {
				word = dir + strings.TrimPrefix(word, name)
			}
		}
		if strings.HasSuffix(word, "N") || strings.Contains(word, "-N.") {
			word = strings.Replace(word, "N", hostile, 1)
		}
		words[i] = word
	}
	var stdout, stderr bytes.Buffer
	out, errs := printable.NewWriter(&stdout), printable.NewWriter(&stderr)
	run(out, errs, words)
	if err := errors.Join(out.Flush(), errs.Flush()); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{stdout.String(), stderr.String()} {
		if i := strings.IndexAny(text, "\x1b\x7f\u009b\u202e\u200b\r"); i >= 0 {
			t.Errorf("guardctl %q prints %q", words, text[max(0, i-80):min(len(text), i+20)])
		}
		for line := range strings.Lines(text) {
			if strings.HasPrefix(strings.TrimSpace(line), "FORGED") {
				t.Errorf("guardctl %q prints a line that a name began: %q", words, text)
			}
		}
	}
	if len(format) > 1 && format[1] == "json" {
		mustBeJSON(t, words, stdout.Bytes())
	}
}

func mustBeJSON(t *testing.T, words []string, stdout []byte) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(stdout))
	for {
		var v any
		if err := d.Decode(&v); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Errorf("guardctl %q prints what is no JSON: %v\n%s", words, err, stdout)
			return
		}
	}
}

// hostileFolders makes a conf dir, a cache, a state directory and a plugin directory, by the
// letters that stand for them.
func hostileFolders(t *testing.T) map[string]string {
	t.Helper()
	dir := t.TempDir()
	name, err := json.Marshal(hostile)
	if err != nil {
		t.Fatal(err)
	}
	n := string(name)
	files := map[string]string{
		"conf/05-" + hostile + ".conflist": `{"cniVersion":"1.0.0","name":` + n + `,"plugins":[{"type":` + n + `}]}`,
		"conf/06-" + hostile + ".conflist": `{"cniVersion":` + n + `,"name":"pods","plugins":[{"type":"bridge"}]}`,
		"conf/07-broken.conflist":          "\x1b[31m{\"" + hostile,
		"conf/10-pods.conflist":            `{"cniVersion":"1.0.0","name":"pods","plugins":[{"type":"bad"},{"type":"cni-guard","mode":` + n + `}]}`,
		"state/events.jsonl":               `{"time":"2026-01-01T10:00:00Z","level":"WARN","msg":` + n + `,"command":` + n + `,"check":` + n + `,"state":` + n + `,"pod":` + n + `,"containerID":"c1"}` + "\n" + hostile + "\n",
		"cache/results/pods-c1-eth0":       `{"kind":"cniCacheV1","containerId":"c1","ifName":"eth0","networkName":"pods","config":` + n + `}`,
		"bin/bad":                          "#!/bin/sh\nprintf '{\"cniVersion\":\"1.0.0\",\"code\":100,\"msg\":\"evil \\\\u001b[2J\\\\u009b\\\\nFORGED\"}'\nprintf 'evil \\033[2J' >&2\nexit 1\n",
	}
	for path, text := range files {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return map[string]string{"C": dir + "/conf", "K": dir + "/cache", "S": dir + "/state", "B": dir + "/bin"}
}
