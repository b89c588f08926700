// SPDX-License-Identifier: Apache-2.0

package checktest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// write writes a fixture file and gives its path.
func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "case.txtar")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func mustLoad(t *testing.T, text string) *fixture {
	t.Helper()
	f, err := load(write(t, text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestLoadRefuses(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"no want":             {"-- pod --\n", "no section want"},
		"misspelt section":    {"-- pods --\n-- want --\n", "section pods: there is no such section"},
		"section twice":       {"-- want --\n-- want --\n", "section want is there twice"},
		"misspelt statement":  {"-- pod --\nlnk lo\n-- want --\n", "want link, addr, route"},
		"misspelt key":        {"-- target --\nifnam = eth0\n-- want --\n", `did you mean "ifname"?`},
		"misspelt netns":      {"-- target --\nnetns = sandbx\n-- want --\n", "no such kind of namespace"},
		"misspelt recorded":   {"-- target --\nrecorded = sme\n-- want --\n", "want same, other or none"},
		"misspelt override":   {"-- target --\noverride = yes\n-- want --\n", "want true or false"},
		"bad address":         {"-- target --\naddr = 10.0.0.1\n-- want --\n", "10.0.0.1"},
		"misspelt stage":      {"-- stage --\nADDD\n-- want --\n", `"ADDD" is no stage`},
		"empty unknown":       {"-- want --\nunknown:\n", "a part of its error"},
		"both":                {"-- want --\nunknown: x\npod/lo is down\n", "only one of these"},
		"folder":              {"-- net.e/x --\n-- want --\n", "no such section"},
		"folder without file": {"-- net.d/ --\n-- want --\n", "no such section"},
		"file elsewhere":      {"-- net.d/../../x --\n-- want --\n", "no such section"},
		"misspelt confdir":    {"-- target --\nconfdir = mising\n-- want --\n", `did you mean "missing"?`},
		"misspelt loopback":   {"-- target --\nloopback = our\n-- want --\n", `did you mean "ours"?`},
		"misspelt runtime":    {"-- target --\nruntime = docker\n-- want --\n", "docker"},
		"nothing to repair":   {"-- pod.repaired --\n-- want --\n", "nothing to repair"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(write(t, c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("load = %v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestLoadReads(t *testing.T) {
	f := mustLoad(t, `
Why this case is there.
-- stage --
CHECK
-- target --
# a comment
netns = node
ifname = net1
mac = 0a:58:0a:f4:01:07
addr = 10.244.1.7/24
addr = fd00::7/64
recorded = other
override = true
-- want --

$NETNS is down
-- setup --
true
`)
	if f.name != "case" || f.stage.String() != "CHECK" || f.setup != "true\n" {
		t.Errorf("name, stage, setup = %q, %q, %q", f.name, f.stage, f.setup)
	}
	if got := f.target; got.netns != "node" || got.ifName != "net1" || got.recorded != "other" || !got.override {
		t.Errorf("target = %+v", got)
	}
	if got := f.target.want; got.MAC != "0a:58:0a:f4:01:07" || len(got.Addrs) != 2 || got.Addrs[1].String() != "fd00::7/64" {
		t.Errorf("result = %+v", got)
	}
	if got := f.want.String(); got != "/run/netns/pod is down" {
		t.Errorf("want = %q", got)
	}
	if f.pod != healthy || f.node != healthy {
		t.Errorf("a namespace without a section is\n%s and\n%s", f.pod, f.node)
	}
}
