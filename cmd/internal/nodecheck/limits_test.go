// SPDX-License-Identifier: Apache-2.0

package nodecheck

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What a container hides is listed, and a node that is itself a container hides nothing.
func TestContainerLimits(t *testing.T) {
	const host, own = initialPIDNamespace, "pid:[4026532001]"
	for name, c := range map[string]struct {
		self, first       string // PID namespaces of this process and of the first one
		selfNet, firstNet string
		files             []string // of the root
		rooted            bool
		sharesRoot        bool // with the first process
		limits            []string
		otherNetwork      bool
	}{
		"node":                      {host, host, "net:[1]", "net:[1]", nil, false, false, nil, false},
		"unshare -n":                {host, host, "net:[2]", "net:[1]", nil, false, true, []string{"the network of the first process"}, false},
		"hostPID, no hostNetwork":   {host, host, "net:[2]", "net:[1]", nil, false, false, []string{"the network of the node"}, true},
		"kind":                      {own, own, "net:[1]", "net:[1]", []string{".dockerenv", "run/systemd/system/x"}, false, false, nil, false},
		"container":                 {own, own, "net:[1]", "net:[1]", []string{".dockerenv"}, false, false, []string{"the node's own /etc and /run", "the processes of the node"}, false},
		"pod with the node's /proc": {own, host, "net:[1]", "net:[1]", []string{"etc/x", "run/systemd/system/x", "var/lib/x", "proc/x", "sys/x"}, true, false, nil, false},
		"pod without it":            {own, own, "net:[1]", "net:[1]", []string{"etc/x", "run/systemd/system/x", "var/lib/x", "sys/x"}, true, false, []string{"the node's /proc"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := &sight{proc: t.TempDir(), root: t.TempDir()}
			for link, to := range map[string]string{"self/ns/pid": c.self, "1/ns/pid": c.first, "self/ns/net": c.selfNet, "1/ns/net": c.firstNet} {
				path := filepath.Join(s.proc, link)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.Symlink(to, path); err != nil {
					t.Fatal(err)
				}
			}
			if root := filepath.Join(s.proc, "1/root"); c.sharesRoot {
				if err := os.Symlink(s.root, root); err != nil {
					t.Fatal(err)
				}
			} else if err := os.Mkdir(root, 0o755); err != nil {
				t.Fatal(err)
			}
			for _, file := range c.files {
				path := filepath.Join(s.root, file)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var got []string
			for _, l := range s.container(c.rooted) {
				got = append(got, l.What)
				if len(l.Checks) > 0 && !c.rooted {
					t.Errorf("%s makes the exit code 2 on a healthy node: %q", l.What, l.Checks)
				}
			}
			if strings.Join(got, "; ") != strings.Join(c.limits, "; ") || (s.otherNetwork != "") != c.otherNetwork {
				t.Errorf("limits %q, other network %q; want %q, %t", got, s.otherNetwork, c.limits, c.otherNetwork)
			}
		})
	}
}
