// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containernetworking/cni/pkg/skel"
	"github.com/containernetworking/cni/pkg/types"
	"github.com/containernetworking/cni/pkg/version"
)

// The dispatcher does what skel does, but for the version of the configuration and
// for what the verbs see to: the configuration itself.
func TestDispatchLikeSkel(t *testing.T) {
	good := map[string]string{
		"CNI_CONTAINERID": "c0ffee", "CNI_NETNS": "/run/netns/x", "CNI_IFNAME": "eth0", "CNI_ARGS": "A=b", "CNI_PATH": "/opt/cni/bin", "CNI_NETNS_OVERRIDE": "1",
	}
	for _, command := range []string{"", "ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION", "add", "BOGUS"} {
		for _, change := range []map[string]string{
			{}, {"CNI_CONTAINERID": ""}, {"CNI_NETNS": ""}, {"CNI_IFNAME": ""}, {"CNI_ARGS": ""}, {"CNI_PATH": ""}, {"CNI_NETNS_OVERRIDE": ""},
			{"CNI_CONTAINERID": "../x"}, {"CNI_IFNAME": "a/b"}, {"CNI_IFNAME": ".."}, {"CNI_IFNAME": strings.Repeat("x", 16)},
			{"CNI_CONTAINERID": "", "CNI_PATH": ""},
		} {
			env := maps.Clone(good)
			maps.Copy(env, change)
			env["CNI_COMMAND"] = command
			const conf = `{"cniVersion":"1.1.0","name":"net","type":"cni-guard"}`
			for _, fails := range []error{nil, errors.New("no"), types.NewError(8, "no", "details")} {
				skels, ours := called(t, env, conf, fails, withSkel), called(t, env, conf, fails, withDispatcher)
				if skels != ours {
					t.Errorf("%s %v, a verb that fails with %v:\nskel: %+v\nours: %+v", command, change, fails, skels, ours)
				}
			}
		}
	}
}

// A seen is what came of a call.
type seen struct {
	verb   string // that was called
	args   string
	stdout string
	stderr string
	err    string
}

// called calls by one of two dispatchers.
func called(t *testing.T, env map[string]string, conf string, fails error, by func(*testing.T, map[string]string, string, map[string]verb) (stdout, stderr string, err error)) seen {
	t.Helper()
	var s seen
	verbs := map[string]verb{}
	for _, name := range []string{"ADD", "DEL", "CHECK", "GC", "STATUS"} {
		verbs[name] = func(a *cmdArgs) error {
			s.verb, s.args = name, strings.Join([]string{a.ContainerID, a.Netns, a.IfName, a.Args, a.Path, a.NetnsOverride, string(a.StdinData)}, "|")
			return fails
		}
	}
	stdout, stderr, err := by(t, env, conf, verbs)
	s.stdout, s.stderr = stdout, stderr
	if e := asCNIError(err); e != nil {
		if e.Code == types.ErrInternal { // skel's code for any other error; ours is made by finish
			s.err = e.Msg
		} else {
			s.err = e.Error() + string(rune('0'+e.Code))
		}
	}
	return s
}

func withDispatcher(_ *testing.T, env map[string]string, conf string, verbs map[string]verb) (stdout, stderr string, err error) {
	var out, errOut bytes.Buffer
	err = dispatcher{
		getenv: func(name string) string { return env[name] }, stdin: strings.NewReader(conf), stdout: &out, stderr: &errOut,
		about: "about", verbs: verbs,
	}.serve()
	return out.String(), errOut.String(), err
}

// withSkel needs the process's own environment and files.
func withSkel(t *testing.T, env map[string]string, conf string, verbs map[string]verb) (stdout, stderr string, err error) {
	t.Helper()
	dir := t.TempDir()
	files := map[string]**os.File{"stdin": &os.Stdin, "stdout": &os.Stdout, "stderr": &os.Stderr}
	for name, to := range files {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		defer func(before *os.File) { *to = before }(*to)
		*to = f
	}
	if _, err := os.Stdin.WriteString(conf); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stdin.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	for name, value := range env {
		t.Setenv(name, value)
	}
	skels := func(name string) func(*skel.CmdArgs) error {
		return func(a *skel.CmdArgs) error { return verbs[name]((*cmdArgs)(a)) }
	}
	failed := skel.PluginMainFuncsWithError(skel.CNIFuncs{
		Add: skels("ADD"), Del: skels("DEL"), Check: skels("CHECK"), GC: skels("GC"), Status: skels("STATUS"),
	}, version.All, "about")
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	return read("stdout"), read("stderr"), orNil(failed)
}

// FuzzDispatch: whatever the environment is, the answer is an error of the spec, or a
// verb was called with what it requires.
func FuzzDispatch(f *testing.F) {
	f.Add("ADD", "c0ffee", "/run/netns/x", "eth0", "/opt/cni/bin")
	f.Add("DEL", "", "", "", "")
	f.Add("VERSION", "", "", "", "")
	f.Fuzz(func(t *testing.T, command, id, netns, ifName, path string) {
		env := map[string]string{"CNI_COMMAND": command, "CNI_CONTAINERID": id, "CNI_NETNS": netns, "CNI_IFNAME": ifName, "CNI_PATH": path}
		s := called(t, env, "x", nil, withDispatcher)
		if s.verb == "" && s.err == "" && command != "" && command != "VERSION" {
			t.Errorf("%v was neither served nor refused", env)
		}
		attachment := s.verb == "ADD" || s.verb == "DEL" || s.verb == "CHECK"
		if attachment && (id == "" || ifName == "" || strings.Contains(id+ifName, "/")) {
			t.Errorf("%v was served", env)
		}
	})
}
