// SPDX-License-Identifier: Apache-2.0

package selftest

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

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/checktest"
)

// insideTest is the argument with which this test program runs the steps.
const insideTest = "selftest-inside"

// TestMain is also the program that Start and hold run again.
func TestMain(m *testing.M) {
	if len(os.Args) < 2 {
		os.Exit(m.Run())
	}
	switch os.Args[1] {
	case HoldCommand:
		if Hold(os.Stdin) != nil {
			os.Exit(1)
		}
	case insideTest:
		var results []Result
		err := Inside(context.Background(), os.Stdin, Observer{Begin: func(string) {}, End: func(r Result) { results = append(results, r) }})
		if err == nil {
			err = json.NewEncoder(os.Stdout).Encode(results)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	default:
		os.Exit(m.Run())
	}
}

// The stub plugins. guard refuses a DEL with the node's path as cni-guard does.
const (
	answersVersion = `[ "$CNI_COMMAND" = VERSION ] && echo '{"cniVersion":"1.0.0","supportedVersions":["0.3.1","0.4.0","1.0.0"]}' && exit
`
	guard = answersVersion + `
stdin=$(cat)
case $CNI_COMMAND in
ADD)
	case $stdin in *prevResult*) printf '%s' "$stdin" | sed 's/.*"prevResult"://; s/},"stateDir".*/}/' ;; *) echo '{"cniVersion":"1.0.0"}';; esac ;;
DEL)
	[ "$CNI_NETNS" != /proc/self/ns/net ] || { echo '{"code":8,"msg":"sandbox namespace not found: x; released without it"}'; exit 1; } ;;
esac
`
	loopback = answersVersion + `
[ "$CNI_NETNS" = /proc/self/ns/net ] || nsenter --net="$CNI_NETNS" ip link set lo up
echo '{"cniVersion":"0.3.1"}'
`
	setsLoDown = answersVersion + `
case $CNI_COMMAND in ADD) nsenter --net="$CNI_NETNS" ip link set lo up ;; DEL) nsenter --net="$CNI_NETNS" ip link set lo down ;; esac
echo '{"cniVersion":"0.3.1"}'
`
	fails = answersVersion + `
cat >/dev/null; echo '{"code":100,"msg":"broken"}'; exit 1
`
	succeeds = answersVersion + `
cat >/dev/null; echo '{"cniVersion":"1.0.0"}'
`
)

// run runs all steps with the given programs in the plugin directory, and returns the
// results by step.
func run(t *testing.T, programs map[string]string, change func(*Request)) map[string]Result {
	t.Helper()
	checktest.PrivateNode(t)
	dir := t.TempDir()
	for name, script := range programs {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	r := Request{BinDirs: []string{dir}}
	if change != nil {
		change(&r)
	}
	var stdout, stderr bytes.Buffer
	code, err := Start(r, &stdout, &stderr, insideTest)
	if err != nil || code != 0 {
		t.Fatalf("exit code %d, error %v: %s", code, err, stderr.String())
	}
	var results []Result
	if err := json.Unmarshal(stdout.Bytes(), &results); err != nil {
		t.Fatal(err)
	}
	byStep := map[string]Result{}
	for _, result := range results {
		byStep[result.Step] = result
	}
	return byStep
}

// Each row breaks one program and names the result of the step that must notice it.
func TestSteps(t *testing.T) {
	for name, c := range map[string]struct {
		broken map[string]string // replaces programs; "" removes one
		step   string
		state  State
		saw    string
	}{
		"nothing is broken":           {nil, "cni-guard is installed", OK, "supports CNI 0.3.1, 0.4.0, 1.0.0"},
		"no cni-guard":                {map[string]string{"cni-guard": ""}, "cni-guard is installed", Failed, "no cni-guard in"},
		"no cni-guard: no pod":        {map[string]string{"cni-guard": ""}, "a pod whose path leads to the node is removed", Skipped, "no cni-guard"},
		"cni-guard answers nothing":   {map[string]string{"cni-guard": "exit 1"}, "cni-guard is installed", Failed, "does not answer VERSION"},
		"pass-through marker":         {map[string]string{checks.PassThroughMarker: "x"}, "cni-guard is installed", Failed, "passes every call through"},
		"no guardctl":                 {map[string]string{"guardctl": ""}, "guardctl is installed beside it", Failed, "no guardctl in"},
		"guardctl":                    {nil, "guardctl is installed beside it", OK, "/guardctl"},
		"the result changes":          {map[string]string{"cni-guard": succeeds}, "cni-guard passes a result on", Failed, "ADD returned another result"},
		"ADD fails":                   {map[string]string{"cni-guard": fails}, "cni-guard passes a result on", Failed, "ADD: broken"},
		"the result is passed on":     {nil, "cni-guard passes a result on", OK, "CHECK and DEL succeed"},
		"no pod network":              {nil, "a pod starts and stops", Skipped, "no ptp and host-local"},
		"the DEL succeeds":            {map[string]string{"cni-guard": succeeds}, "a pod whose path leads to the node is removed", Failed, "DEL succeeds; cni-guard must refuse it"},
		"the DEL is refused":          {nil, "a pod whose path leads to the node is removed", OK, "refused, and released without the namespace"},
		"no loopback":                 {map[string]string{"loopback": ""}, "loopback brings up a pod's lo", Skipped, "no loopback in"},
		"loopback fails":              {map[string]string{"loopback": fails}, "loopback brings up a pod's lo", Failed, "ADD: broken"},
		"loopback does nothing":       {map[string]string{"loopback": succeeds}, "loopback brings up a pod's lo", Failed, "leaves the pod's lo down"},
		"loopback takes node lo down": {map[string]string{"loopback": setsLoDown}, "loopback leaves the node's lo up", Failed, "takes the node's lo down"},
		"loopback is safe":            {nil, "loopback leaves the node's lo up", OK, "does not touch the node's lo"},
	} {
		t.Run(name, func(t *testing.T) {
			programs := map[string]string{"cni-guard": guard, "guardctl": "exit 0", "loopback": loopback}
			for program, script := range c.broken {
				if programs[program] = script; script == "" {
					delete(programs, program)
				}
			}
			got := run(t, programs, nil)[c.step]
			if got.State != c.state || !strings.Contains(got.Saw, c.saw) {
				t.Errorf("%s: %s, saw %q; want %s and %q", c.step, got.State, got.Saw, c.state, c.saw)
			}
		})
	}
}

// With a chain of the node, the steps for it run too. A plugin that fails here proves
// nothing: it may need the real node.
func TestChainSteps(t *testing.T) {
	for name, c := range map[string]struct {
		plugins string
		step    string
		state   State
		saw     string
	}{
		"guarded":                {`{"type":"net"},{"type":"cni-guard"}`, "the chain ends with cni-guard", OK, "net, cni-guard"},
		"guarded: a pod":         {`{"type":"net"},{"type":"cni-guard"}`, "a pod of the chain starts and stops", OK, "ADD, CHECK, DEL of net, cni-guard succeed"},
		"guarded: a lost pod":    {`{"type":"net"},{"type":"cni-guard"}`, "a pod of the chain whose path leads to the node is removed", OK, "refused"},
		"not guarded":            {`{"type":"net"}`, "the chain ends with cni-guard", Failed, "cni-guard is not in"},
		"not guarded: lost pod":  {`{"type":"net"}`, "a pod of the chain whose path leads to the node is removed", Skipped, "not in the chain"},
		"cni-guard is not last":  {`{"type":"cni-guard"},{"type":"net"}`, "the chain ends with cni-guard", Failed, "net comes after cni-guard"},
		"a plugin is missing":    {`{"type":"nonesuch"},{"type":"cni-guard"}`, "the chain's plugins are installed", Failed, "nonesuch"},
		"a plugin fails":         {`{"type":"fails"},{"type":"cni-guard"}`, "a pod of the chain starts and stops", Unclear, "ADD: "},
		"the entry has a typo":   {`{"type":"net"},{"type":"cni-guard","chekcs":{}}`, "the configuration of cni-guard in the chain", Failed, `did you mean "checks"`},
		"the entry is all right": {`{"type":"net"},{"type":"cni-guard","mode":"audit"}`, "the configuration of cni-guard in the chain", OK, "audit"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "10-net.conflist")
			conf := fmt.Sprintf(`{"cniVersion":"1.0.0","name":"net","plugins":[%s]}`, c.plugins)
			if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
				t.Fatal(err)
			}
			chain, err := FindChain(file, nil)
			if err != nil {
				t.Fatal(err)
			}
			programs := map[string]string{"cni-guard": guard, "guardctl": "exit 0", "loopback": loopback, "net": succeeds, "fails": fails}
			got := run(t, programs, func(r *Request) { r.Chain = chain })[c.step]
			if got.State != c.state || !strings.Contains(got.Saw, c.saw) {
				t.Errorf("%s: %s, saw %q; want %s and %q", c.step, got.State, got.Saw, c.state, c.saw)
			}
		})
	}
}

// No step runs on a real node, even if the program is called by hand.
func TestInsideRefusesRealNode(t *testing.T) {
	own, err := ownIdentity()
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]Request{
		"no caller":             {},
		"the caller's own":      {Caller: own},
		"the caller's network":  {Caller: identity{own.Net, namespace{1, 1}}},
		"the caller's mounts":   {Caller: identity{namespace{1, 1}, own.Mount}},
		"half of an identity":   {Caller: identity{Net: namespace{1, 1}}},
		"the other half of one": {Caller: identity{Mount: namespace{1, 1}}},
	} {
		request, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := Inside(t.Context(), bytes.NewReader(request), Observer{}); !errors.Is(err, errNotPrivate) {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
	if err := Inside(t.Context(), strings.NewReader("no JSON"), Observer{}); !errors.Is(err, errNotPrivate) {
		t.Errorf("no request: the error is %v", err)
	}
}

func TestVerdict(t *testing.T) {
	for _, c := range []struct {
		states []State
		want   State
	}{
		{nil, OK}, {[]State{OK, Skipped}, OK}, {[]State{OK, Unclear, OK}, Unclear},
		{[]State{Unclear, Failed}, Failed}, {[]State{Failed, Unclear}, Failed},
	} {
		var results []Result
		for _, s := range c.states {
			results = append(results, Result{State: s})
		}
		if got := Verdict(results); got != c.want {
			t.Errorf("Verdict(%v) = %s, want %s", c.states, got, c.want)
		}
	}
}

func TestValidate(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, dirs := range map[string][]string{
		"no plugin directory is given": nil,
		"does not exist":               {dir, filepath.Join(dir, "nonesuch")},
		"is not a directory":           {file},
		"check plugin directory":       {filepath.Join(file, "below")},
	} {
		if err := (Request{BinDirs: dirs}).Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: the error is %v, want %q", dirs, err, want)
		}
	}
	if err := (Request{BinDirs: []string{dir}}).Validate(); err != nil {
		t.Error(err)
	}
}
