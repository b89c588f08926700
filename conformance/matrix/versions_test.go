// SPDX-License-Identifier: Apache-2.0

package matrix

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/invoke"
	"github.com/containernetworking/cni/pkg/version"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/node"
	"github.com/cni-guard/cni-guard/conformance/rigtest"
)

// The primary of the test answers in a version of its own, as plugins that somebody
// wrote for one cluster do (hashicorp/nomad#25510, containernetworking/cni#862).
const primary = `#!/bin/sh
case $CNI_COMMAND in
VERSION) echo '{"cniVersion":"1.1.0","supportedVersions":["0.1.0","0.2.0","0.3.0","0.3.1","0.4.0","1.0.0","1.1.0"]}' ;;
ADD) cat "${0%/*}/result" ;;
esac
`

// Whatever version the list and the result of the plugin before the guard have,
// libcni has the same outcome and the same result with the guard as without it, in
// each mode; and the guard prints the bytes that it was given.
func TestVersionPairs(t *testing.T) {
	known := []string{"0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"}
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "primary"), []byte(primary), 0o755))
	must(t, os.Symlink(filepath.Join(rigtest.GuardDir(t), "cni-guard"), filepath.Join(dir, "cni-guard")))
	rigtest.New(t)
	pin, err := node.NewPin("cni-subject")
	must(t, err)
	t.Cleanup(func() { _ = pin.Remove() })

	// Beside those that exist: none, one that is not there yet, two that will never be.
	for _, list := range append([]string{"", "1.2.0", "9.9.9", "1.0"}, known...) {
		for _, result := range append([]string{"", "1.2.0", "9.9.9"}, known...) {
			t.Run(list+" "+result, func(t *testing.T) {
				must(t, os.WriteFile(filepath.Join(dir, "result"), resultOf(t, result, list, pin.Path), 0o644))
				alone := live(t, dir, list, pin.Path)
				for _, mode := range []string{"enforce", "audit"} {
					guard := chain.Guard(t.TempDir()).With("mode", mode)
					if with := live(t, dir, list, pin.Path, guard); with != alone {
						t.Errorf("in mode %s\nwithout the guard: %s\nwith it:           %s", mode, alone, with)
					}
				}
			})
		}
	}
}

// resultOf is a result in the shape of a version. Without one it has the shape of the
// list's.
func resultOf(t *testing.T, result, list, netns string) []byte {
	t.Helper()
	shape := result
	if shape == "" {
		shape = list
	}
	doc := prevResult(shape)
	if shape == "" {
		doc = prevResult("0.1.0")
	}
	if result == "" {
		delete(doc, "cniVersion")
	}
	if ifaces, ok := doc["interfaces"].([]any); ok {
		ifaces[0] = map[string]any{"name": "eth0", "mac": "02:00:00:00:00:09", "sandbox": netns, "example.com/queue": 7}
	}
	text, err := json.Marshal(doc)
	must(t, err)
	return text
}

// live takes a pod through all verbs of libcni, and returns what came of each.
func live(t *testing.T, dir, listVersion, netns string, behind ...chain.Plugin) string {
	t.Helper()
	plugins := append([]chain.Plugin{{"type": "primary"}}, behind...)
	doc := map[string]any{"name": chain.Name, "plugins": plugins, "cniVersion": listVersion}
	if listVersion == "" {
		delete(doc, "cniVersion")
	}
	text, err := json.Marshal(doc)
	must(t, err)
	list, err := libcni.NetworkConfFromBytes(text)
	if err != nil {
		return "list: " + err.Error()
	}
	cache := t.TempDir()
	exec := &handing{t: t}
	cni := libcni.NewCNIConfigWithCacheDir([]string{dir}, cache, exec)
	pod := &libcni.RuntimeConf{ContainerID: "subject", NetNS: netns, IfName: "eth0"}
	ctx := t.Context()

	var said strings.Builder
	result, err := cni.AddNetworkList(ctx, list, pod)
	fmt.Fprintf(&said, "ADD %v", err)
	if err == nil {
		must(t, result.PrintTo(&said))
		kept, err := os.ReadFile(filepath.Join(cache, "results", chain.Name+"-subject-eth0"))
		must(t, err)
		var cached struct{ Result json.RawMessage }
		must(t, json.Unmarshal(kept, &cached))
		fmt.Fprintf(&said, " kept %s", cached.Result)
	}
	fmt.Fprintf(&said, " CHECK %v", cni.CheckNetworkList(ctx, list, pod))
	fmt.Fprintf(&said, " STATUS %v", cni.GetStatusNetworkList(ctx, list))
	fmt.Fprintf(&said, " GC %v", cni.GCNetworkList(ctx, list, &libcni.GCArgs{}))
	fmt.Fprintf(&said, " DEL %v", cni.DelNetworkList(ctx, list, pod))
	if len(behind) > 0 && result != nil && exec.handed == 0 {
		t.Error("the guard was not called on ADD")
	}
	return said.String()
}

// A handing executes plugins as libcni does, and compares what the guard prints on
// ADD with what it is given.
type handing struct {
	invoke.RawExec
	version.PluginDecoder

	t      *testing.T
	handed int
}

// ExecPlugin implements invoke.Exec.
func (h *handing) ExecPlugin(ctx context.Context, path string, stdin []byte, environ []string) ([]byte, error) {
	h.Stderr = io.Discard
	stdout, err := h.RawExec.ExecPlugin(ctx, path, stdin, environ)
	if filepath.Base(path) != "cni-guard" || verbOf(environ) != "ADD" || err != nil {
		return stdout, err
	}
	h.handed++
	var given struct{ PrevResult json.RawMessage }
	must(h.t, json.Unmarshal(stdin, &given))
	if !bytes.Equal(bytes.TrimSuffix(stdout, []byte("\n")), given.PrevResult) {
		h.t.Errorf("the guard was given\n%s\nand printed\n%s", given.PrevResult, stdout)
	}
	return stdout, nil
}

func verbOf(environ []string) string {
	found := ""
	for _, pair := range environ {
		if v, ok := strings.CutPrefix(pair, "CNI_COMMAND="); ok {
			found = v
		}
	}
	return found
}

// What the guard is handed by a runtime that takes less care than libcni comes out as
// it came in, and fails no verb.
func TestResultAsItCame(t *testing.T) {
	rigtest.New(t)
	guard := filepath.Join(rigtest.GuardDir(t), "cni-guard")
	pin, err := node.NewPin("cni-subject")
	must(t, err)
	t.Cleanup(func() { _ = pin.Remove() })
	for _, result := range []string{
		`{"cniVersion":"9.9.9","zeta":  1.50, "alpha":[]}`, `{"cniVersion":7}`, `[]`, `7`, `"x"`, `{}`, `{"ips":[null],"interfaces":[null]}`,
		`{"cniVersion":"0.4.0","ips":[null]}`, `{"cniVersion":"1.0.0","ips":"10.1.0.5"}`, `{"cniVersion":"1.0.0","ips":[{"address":"10.1.0.5/99"}]}`,
		`{"cniVersion":"1.0.0","cniVersion":"0.2.0"}`,
	} {
		for _, mode := range []string{"enforce", "audit"} {
			conf := chain.Guard(t.TempDir()).With("cniVersion", "1.0.0").With("name", chain.Name).With("mode", mode)
			conf = conf.With("prevResult", json.RawMessage(result))
			added := callRaw(t, guard, "ADD", pin.Path, conf, result)
			if !added.ok || added.stdout != result+"\n" {
				t.Errorf("in mode %s ADD with %s: %+v", mode, result, added)
			}
			for _, verb := range []string{"CHECK", "DEL"} {
				if s := callRaw(t, guard, verb, pin.Path, conf, result); !s.ok || s.stdout != "" {
					t.Errorf("in mode %s %s with %s: %+v", mode, verb, result, s)
				}
			}
		}
	}
}

// callRaw is call with a prevResult whose bytes stay as they are: json.Marshal would
// compact it.
func callRaw(t *testing.T, path, verb, netns string, conf map[string]any, result string) said {
	t.Helper()
	conf = maps.Clone(conf)
	conf["prevResult"] = "RESULT"
	text, err := json.Marshal(conf)
	must(t, err)
	return callWith(t, path, verb, netns, []byte(strings.Replace(string(text), `"RESULT"`, result, 1)))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
