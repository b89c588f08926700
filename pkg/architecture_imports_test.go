// SPDX-License-Identifier: Apache-2.0

package pkg_test

import (
	"go/ast"
	"os"
	"slices"
	"strconv"
	"strings"
)

func readFile(path string) (string, error) {
	b, err := os.ReadFile(path)
	return string(b), err
}

// mayImport says which of our packages a package of pkg/ may import, tests
// aside. One that is not listed may import none. pkg/printable is open to all of them.
func mayImport() map[string][]string {
	return map[string][]string{
		"pkg/actor":     {"pkg/netstate"},
		"pkg/agent":     {"pkg/dirwatch", "pkg/guard", "pkg/netstate"},
		"pkg/attached":  {"pkg/checks", "pkg/ledger", "pkg/netstate"},
		"pkg/checks":    {"pkg/conflist", "pkg/conflist/assess", "pkg/echo", "pkg/firewall", "pkg/guard", "pkg/hostconf", "pkg/hostfs", "pkg/netstate", "pkg/tunnel"},
		"pkg/checktest": {"pkg/checks", "pkg/conflist", "pkg/guard", "pkg/netstate"},
		"pkg/firewall":  {"pkg/netstate"},
		"pkg/tunnel":    {"pkg/netstate"},

		"pkg/conflist":            {"pkg/hostfs"},
		"pkg/hostconf":            {"pkg/hostfs"},
		"pkg/conflist/assess":     {"pkg/conflist", "pkg/hostfs"},
		"pkg/conflist/edit":       {"pkg/conflist"},
		"pkg/conflist/quarantine": {"pkg/conflist", "pkg/conflist/lock"},
	}
}

// mayStart are the files that may start programs.
func mayStart() []string {
	return []string{
		"pkg/release/release.go", "cmd/internal/chain/exec.go",
		"cmd/guardctl/internal/selftest/namespaces.go", "cmd/internal/pluginquery/version.go",
	}
}

func importRules() []rule {
	return []rule{
		{
			name:       "imports point one way",
			reason:     "plugins, cmd → checks → guard, netstate: each package can be read, tested and trusted without those above it",
			violations: imports(againstTheGrain),
			planted: map[string]string{
				"pkg/guard/x.go":     importing(module + "/pkg/netstate"),
				"pkg/netstate/x.go":  importing(module + "/pkg/guard"),
				"pkg/ledger/x.go":    importing(module + "/pkg/events"),
				"pkg/events/x.go":    importing(module + "/pkg/guard"),
				"pkg/checks/x.go":    importing(module + "/pkg/ledger"),
				"pkg/new/x.go":       importing(module + "/pkg/guard"),
				"pkg/printable/x.go": importing(module + "/pkg/guard"),
				"pkg/checks/y.go":    importing(module + "/plugins/cni-guard/x"),
				"pkg/release/x.go":   importing(module + "/cmd/guardctl/x"),
				"pkg/checks/z.go":    importing(module + "/pkg/checktest"),
				"plugins/x/x.go":     importing(module + "/cmd/guardctl/x"),
				"plugins/x/y.go":     importing(module + "/pkg/checktest"),
				"cmd/x/x.go":         importing(module + "/plugins/x"),
			},
			sound: map[string]string{
				"pkg/checks/x.go":            importing(module + "/pkg/guard"),
				"pkg/guard/x.go":             importing(module + "/pkg/printable"),
				"pkg/checks/x_test.go":       importing(module + "/pkg/checktest"),
				"pkg/netstate/x_test.go":     importing(module + "/pkg/checktest"),
				"plugins/cni-guard/x.go":     importing(module + "/pkg/ledger"),
				"cmd/guardctl/x.go":          importing(module + "/cmd/internal/chain"),
				"cmd/guardctl/internal/x.go": importing(module + "/pkg/release"),
			},
		},
		{
			name:   "Prometheus and Kubernetes in the agent's program and the kubectl plugin only",
			reason: "guardctl and the plugins work on nodes without either; pkg/agent is tested without both, and others may export its state elsewhere",
			violations: imports(func(s source, path string) string {
				if s.isTest() || s.in("cmd/cni-guard-agent") || s.in("cmd/kubectl-cni_guard") || !slices.ContainsFunc(exporters(), func(p string) bool { return strings.HasPrefix(path, p) }) {
					return ""
				}
				return "imports " + path
			}),
			planted: map[string]string{
				"pkg/agent/x.go":             importing("github.com/prometheus/client_golang/prometheus"),
				"pkg/agent/y.go":             importing("k8s.io/api/core/v1"),
				"cmd/guardctl/x.go":          importing("k8s.io/client-go/rest"),
				"cmd/internal/agentapi/x.go": importing("github.com/prometheus/client_golang/prometheus"),
			},
			sound: map[string]string{"cmd/cni-guard-agent/internal/metrics/x.go": importing("github.com/prometheus/client_golang/prometheus")},
		},
		{
			name:   "the SDK of a cloud in guardctl only",
			reason: "it is large, and nothing that runs on its own asks a cloud in the name of the node",
			violations: imports(func(s source, path string) string {
				if s.in("cmd/guardctl/internal/cloud") || !strings.HasPrefix(path, "github.com/aws/") {
					return ""
				}
				return "imports " + path
			}),
			planted: map[string]string{
				"cmd/internal/node/x.go":   importing("github.com/aws/aws-sdk-go-v2/service/ec2"),
				"cmd/cni-guard-agent/x.go": importing("github.com/aws/aws-sdk-go-v2/aws"),
				"cmd/guardctl/x.go":        importing("github.com/aws/smithy-go"),
			},
			sound: map[string]string{"cmd/guardctl/internal/cloud/x.go": importing("github.com/aws/aws-sdk-go-v2/service/ec2")},
		},
		{
			name:   "netlink and namespaces in netstate only",
			reason: "one place enters namespaces and throws the thread away; one place knows EINTR and dumps that were interrupted",
			violations: imports(func(s source, path string) string {
				if s.isTest() || s.in("pkg/netstate") {
					return ""
				}
				for _, banned := range []string{"github.com/vishvananda/", "github.com/containernetworking/plugins/pkg/ns", "github.com/containernetworking/cni/pkg/ns", "github.com/mdlayher/", "github.com/jsimonetti/"} {
					if strings.HasPrefix(path, banned) {
						return "imports " + path
					}
				}
				return ""
			}),
			planted: map[string]string{
				"pkg/checks/x.go": importing("github.com/vishvananda/netlink"),
				"plugins/x/x.go":  importing("github.com/vishvananda/netns"),
				"cmd/x/x.go":      importing("github.com/containernetworking/plugins/pkg/ns"),
				"pkg/tunnel/x.go": importing("github.com/vishvananda/netlink/nl"),
				"plugins/x/y.go":  importing("github.com/containernetworking/cni/pkg/ns"),
			},
			sound: map[string]string{
				"pkg/netstate/x.go":    importing("github.com/vishvananda/netlink"),
				"pkg/checks/x_test.go": importing("github.com/vishvananda/netlink"),
			},
		},
		{
			name:   "no setns but in netstate",
			reason: "the state of a thread is the classic bug of this field; see pkg/netstate/enter.go",
			violations: func(s source) []violation {
				if s.in("pkg/netstate") {
					return nil
				}
				return find(s, func(n ast.Node) string {
					if name := selector(n); slices.Contains([]string{"unix.Setns", "unix.Unshare", "syscall.Unshare", "unix.SYS_SETNS", "syscall.SYS_SETNS"}, name) {
						return "uses " + name
					}
					return ""
				})
			},
			planted: map[string]string{
				"pkg/checks/x.go": "package x\nimport \"golang.org/x/sys/unix\"\nvar _ = unix.Setns(3, 0)",
				"plugins/x/x.go":  "package x\nimport \"syscall\"\nvar _ = syscall.Unshare(0)",
				"cmd/x/x_test.go": "package x\nimport \"golang.org/x/sys/unix\"\nvar _ = unix.SYS_SETNS",
			},
			sound: map[string]string{"pkg/netstate/x.go": "package x\nimport \"golang.org/x/sys/unix\"\nvar _ = unix.Setns(3, 0)"},
		},
		{
			name:   "os/exec in release, the self-test and the probe only",
			reason: "nothing on the path of a pod starts a program, but a DEL that must release without the namespace, which starts guardctl, which starts the plugins; the self-test, which no runtime calls, starts itself in namespaces of its own; guardctl asks plugins for VERSION, as runtimes do",
			violations: imports(func(s source, path string) string {
				if path != "os/exec" || s.isTest() || s.in("pkg/checktest") || slices.Contains(mayStart(), s.path) {
					return ""
				}
				return "imports os/exec"
			}),
			planted: map[string]string{
				"pkg/checks/x.go":        importing("os/exec"),
				"pkg/release/x.go":       importing("os/exec"),
				"plugins/cni-guard/x.go": importing("os/exec"),
				"cmd/guardctl/verify.go": importing("os/exec"),

				"cmd/guardctl/internal/selftest/lab.go": importing("os/exec"),
			},
			sound: map[string]string{
				"pkg/release/release.go": importing("os/exec"),

				"cmd/guardctl/internal/selftest/namespaces.go": importing("os/exec"),
				"pkg/ledger/x_test.go":                         importing("os/exec"),
			},
		},
	}
}

// exporters are what only the agent's program, which exports to them, and the kubectl
// plugin may have.
func exporters() []string {
	return []string{"github.com/prometheus/", "k8s.io/", "sigs.k8s.io/"}
}

func importing(path string) string { return "package x\n\nimport _ " + strconv.Quote(path) + "\n" }

// imports returns the violations of a rule over single imports.
func imports(is func(s source, path string) string) func(source) []violation {
	return func(s source) []violation {
		return find(s, func(n ast.Node) string {
			spec, ok := n.(*ast.ImportSpec)
			if !ok {
				return ""
			}
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err.Error()
			}
			return is(s, path)
		})
	}
}

func againstTheGrain(s source, path string) string {
	ours, ok := strings.CutPrefix(path, module+"/")
	if !ok || s.isTest() {
		return ""
	}
	top, _, _ := strings.Cut(s.path, "/")
	theirs, _, _ := strings.Cut(ours, "/")
	switch {
	case ours == "pkg/checktest":
		return "imports pkg/checktest, which is for tests"
	case ours == "pkg/printable" && top == "pkg":
		return "" // it imports nothing of ours, and whoever quotes somebody needs it
	case top == "pkg" && !slices.Contains(mayImport()[s.dir()], ours):
		return "imports " + ours + "; if that is to be, say so in mayImport"
	case top != "pkg" && theirs != "pkg" && theirs != top:
		return "imports " + ours
	}
	return ""
}
