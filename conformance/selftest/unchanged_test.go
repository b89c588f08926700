// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/cni-guard/cni-guard/conformance/node"
)

// seen is what of the node the self-test could have changed, by its name.
func (n *installation) seen() map[string]string {
	n.t.Helper()
	return map[string]string{
		"links, addresses, routes, rules": must(n, func() (string, error) { return node.Snapshot(n.Node.Path) }),
		"sysctls":                         must(n, func() (string, error) { return node.Sysctls(n.Node.Path) }),
		"mounts":                          must(n, func() (string, error) { return text("/proc/self/mountinfo") }),
		"files in /run":                   must(n, func() (string, error) { return files("/run") }),
		"files of the test":               must(n, func() (string, error) { return files(n.Dir) }),
		"processes":                       must(n, processes),
		"iptables":                        must(n, iptables),
	}
}

func (n *installation) wantSame(before map[string]string) {
	n.t.Helper()
	now := n.seen()
	for what, then := range before {
		if now[what] != then {
			n.t.Errorf("%s are not what they were.\nbefore:\n%s\nafter:\n%s", what, then, now[what])
		}
	}
}

func must(n *installation, see func() (string, error)) string {
	n.t.Helper()
	s, err := see()
	if err != nil {
		n.t.Fatal(err)
	}
	if s == "" {
		n.t.Fatal("nothing is seen, so that no change would be")
	}
	return s
}

func text(path string) (string, error) {
	data, err := os.ReadFile(path)
	return string(data), err
}

// files lists a directory with the time at which each file was last changed.
func files(dir string) (string, error) {
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			b.WriteString(path + " " + info.Mode().String() + " " + info.ModTime().String() + "\n")
		}
		return err
	})
	return b.String(), err
}

// processes lists what runs in the process namespace of the test.
func processes() (string, error) {
	found, err := filepath.Glob("/proc/[0-9]*")
	return strings.Join(found, " "), err
}

// iptables returns the rules of the test's node, which is its thread's.
func iptables() (string, error) {
	out, err := exec.Command("sh", "-c", "iptables-save | grep -v '^#'; echo end").Output()
	return string(out), err
}
