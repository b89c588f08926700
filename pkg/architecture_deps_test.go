// SPDX-License-Identifier: Apache-2.0

package pkg_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/checktest"
)

// A graph is the packages of a program, each with what it imports.
type graph map[string][]string

// leanRules are the packages that no program that runs for every pod may have,
// with the reason. A path that ends in a slash stands for all below it.
func leanRules() map[string]string {
	return map[string]string{
		"github.com/containernetworking/cni/libcni": "it alone adds a quarter to the start-up of an empty plugin; guardctl has it",
		"net/http":                         "nothing on the path of a pod speaks HTTP; it brings TLS and hundreds of kilobytes along",
		"crypto/tls":                       "as net/http",
		"github.com/spf13/":                "a plugin has no command line",
		"k8s.io/":                          "a plugin runs on nodes without Kubernetes, and starts for every pod of those with it",
		"text/template":                    "it calls methods by name, so that the linker must keep all there are",
		"html/template":                    "as text/template",
		"testing":                          "it is for tests, and registers flags",
		module + "/pkg/checktest":          "it is for tests",
		"github.com/rogpeppe/go-internal/": "it is for tests",
		"github.com/containernetworking/plugins/": "its packages shell out, and bring iptables and D-Bus along",
	}
}

// loneImporters are packages that only those named may import.
func loneImporters() map[string]struct{ importers, reason string } {
	return map[string]struct{ importers, reason string }{
		"regexp": {
			"github.com/containernetworking/cni/pkg/utils",
			"each expression is compiled at every ADD and DEL; skel cannot do without its own two, we can",
		},
		"os/exec": {
			module + "/pkg/release",
			"a plugin starts nothing but guardctl, and that only for a DEL that it refuses",
		},
	}
}

func bloat(g graph) []string {
	var found []string
	for pkg := range g {
		for banned, reason := range leanRules() {
			if pkg == banned || strings.HasSuffix(banned, "/") && strings.HasPrefix(pkg, banned) {
				found = append(found, fmt.Sprintf("%s is among the dependencies, by way of %s\n\twhy not: %s", pkg, strings.Join(g.importers(pkg), ", "), reason))
			}
		}
	}
	for banned, rule := range loneImporters() {
		for _, importer := range g.importers(banned) {
			if importer != rule.importers {
				found = append(found, fmt.Sprintf("%s imports %s\n\twhy not: %s", importer, banned, rule.reason))
			}
		}
	}
	return found
}

func (g graph) importers(of string) []string {
	var importers []string
	for pkg, imports := range g {
		for _, i := range imports {
			if i == of {
				importers = append(importers, pkg)
			}
		}
	}
	return importers
}

func TestPluginsStayLean(t *testing.T) {
	for _, plugin := range []string{"cni-guard", "loopback"} {
		t.Run(plugin, func(t *testing.T) {
			deps := dependencies(t, module+"/plugins/"+plugin)
			for _, what := range bloat(deps) {
				t.Error(what)
			}
			// loopback has skel, which is two expressions and a quarter of a megabyte.
			if _, there := deps["regexp"]; there && plugin == "cni-guard" {
				t.Errorf("regexp is linked, by %q", deps.importers("regexp"))
			}
		})
	}
}

// What the agent's program exports to is in no other program, by whatever detour.
func TestGuardctlExportsNowhere(t *testing.T) {
	for _, pkg := range []string{"cmd/guardctl", "pkg/agent"} {
		for _, what := range exportersIn(dependencies(t, module+"/"+pkg)) {
			t.Errorf("%s: %s", pkg, what)
		}
	}
	if len(exportersIn(dependencies(t, module+"/cmd/cni-guard-agent"))) == 0 {
		t.Error("the agent's program exports nothing, so that this test sees nothing")
	}
}

func exportersIn(g graph) (found []string) {
	for pkg := range g {
		for _, prefix := range exporters() {
			if strings.HasPrefix(pkg, prefix) {
				found = append(found, fmt.Sprintf("%s is among the dependencies, by way of %s", pkg, strings.Join(g.importers(pkg), ", ")))
			}
		}
	}
	return found
}

func dependencies(t *testing.T, pkg string) graph {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		checktest.Lacking(t, "no go command to list dependencies with")
	}
	cmd := exec.Command("go", "list", "-deps", "-f", `{{.ImportPath}} {{join .Imports " "}}`, pkg)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("list dependencies: %v: %s", err, out)
	}
	g := graph{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		g[fields[0]] = fields[1:]
	}
	if _, ok := g[module+"/pkg/netstate"]; !ok {
		t.Fatalf("the dependencies of %s lack pkg/netstate: %d packages", pkg, len(g))
	}
	return g
}

func TestLeanRulesCanBreak(t *testing.T) {
	sound := graph{
		"regexp":  nil,
		"os/exec": nil,
		"github.com/containernetworking/cni/pkg/skel":  {"github.com/containernetworking/cni/pkg/utils"},
		"github.com/containernetworking/cni/pkg/utils": {"regexp"},
		module + "/pkg/release":                        {"os/exec"},
		"testing/iotest/like":                          nil,
	}
	if found := bloat(sound); len(found) > 0 {
		t.Errorf("the dependencies are sound, and yet: %q", found)
	}
	for pkg, imports := range map[string][]string{
		"net/http":               nil,
		"crypto/tls":             nil,
		"k8s.io/api/core/v1":     nil,
		"github.com/spf13/cobra": nil,
		"github.com/containernetworking/cni/libcni": nil,
		"testing":                     nil,
		"text/template":               nil,
		module + "/pkg/checktest":     nil,
		module + "/pkg/checks":        {"regexp"},
		module + "/plugins/cni-guard": {"os/exec"},
	} {
		planted := graph{pkg: imports}
		for pkg, imports := range sound {
			planted[pkg] = imports
		}
		if len(bloat(planted)) == 0 {
			t.Errorf("nobody sees %s %v", pkg, imports)
		}
	}
}

// The plugin knows the name and options of the checks that run without a pod, and has
// none of their code: the linker removes a method that nothing calls. Nor has it what asks
// WireGuard for its peers.
func TestPluginHasNoCodeOfNodeChecks(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		checktest.Lacking(t, "no go command to build the plugin with")
	}
	program := filepath.Join(t.TempDir(), "cni-guard")
	if out, err := exec.Command("go", "build", "-o", program, module+"/plugins/cni-guard").CombinedOutput(); err != nil {
		t.Fatalf("build the plugin: %v\n%s", err, out)
	}
	binary, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	declared := regexp.MustCompile(regexp.QuoteMeta(module)+`/pkg/checks\.(\w+)\.declare\x00`).FindAllSubmatch(binary, -1)
	if len(declared) == 0 {
		t.Fatal("the plugin declares no node check, so that this test sees nothing")
	}
	for _, m := range declared {
		if bytes.Contains(binary, fmt.Appendf(nil, "%s/pkg/checks.%s.check\x00", module, m[1])) {
			t.Errorf("the plugin has the code of the node check %s: something that it calls refers to NodeSuite, or calls methods by name", m[1])
		}
	}
	has := func(function string) bool {
		return bytes.Contains(binary, []byte(module+"/pkg/netstate."+function+"\x00"))
	}
	if !has("(*Live).wireGuardOf") {
		t.Error("the plugin makes no dump of tunnels, so that this test sees nothing")
	}
	if has("askWireGuard") {
		t.Error("the plugin has the code that asks WireGuard: something that it calls refers to AskWireGuard")
	}
}
