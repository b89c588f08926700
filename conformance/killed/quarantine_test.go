// SPDX-License-Identifier: Apache-2.0

package killed_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/conformance/killed"
	"github.com/cni-guard/cni-guard/conformance/rigtest"
)

const (
	right = `{"name":"a","cniVersion":"1.0.0","plugins":[{"type":"bridge"},{"type":"cni-guard"}]}`
	wrong = `{"name":"b","cniVersion":"1.0.0","plugins":[{"type":"weave-net"}]}`
)

// A confDir is a directory of configurations that guardctl works in.
type confDir struct {
	guardctl, dir string
	selectBatch   string
	rogue         string // the name of the file that is put away
}

func newConfDir(t *testing.T, rogue string) confDir {
	t.Helper()
	return confDir{selectBatch: rigtest.SelectBatch(t), guardctl: filepath.Join(rigtest.GuardDir(t), "guardctl"), dir: filepath.Join(t.TempDir(), "net.d"), rogue: rogue}
}

func (c confDir) command(verb string) *exec.Cmd {
	return exec.Command(c.guardctl, "conf", verb, filepath.Join(c.dir, c.rogue), "--runtime", "containerd")
}

// fresh recreates the directory with both files.
func (c confDir) fresh(t testing.TB) {
	t.Helper()
	if err := os.RemoveAll(c.dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(c.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"10-a.conflist": right, c.rogue: wrong} {
		if err := os.WriteFile(filepath.Join(c.dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// away recreates the directory with the rogue in quarantine.
func (c confDir) away(t testing.TB) {
	t.Helper()
	c.fresh(t)
	if out, err := c.command("quarantine").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// effective asks what a runtime takes.
func (c confDir) effective(t testing.TB, runtime string) string {
	t.Helper()
	request, err := json.Marshal(map[string]any{"dir": c.dir, "runtime": runtime, "maxConfNum": 1})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(c.selectBatch)
	cmd.Stdin = bytes.NewReader(request)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var answer struct{ Effective string }
	if err := json.Unmarshal(out, &answer); err != nil {
		t.Fatal(err)
	}
	return answer.Effective
}

// check wants a network that works after the interruption, and the job done when
// the command is run again, with nothing left lying about.
func (c confDir) check(t testing.TB, i killed.Interruption, verb string, effective, done []string) {
	t.Helper()
	for _, runtime := range []string{"containerd", "crio"} {
		if got := c.effective(t, runtime); !slices.Contains(effective, got) {
			t.Errorf("%s selects %q", runtime, got)
		}
	}
	if content, err := os.ReadFile(filepath.Join(c.dir, "10-a.conflist")); err != nil || string(content) != right {
		t.Errorf("the other file was touched: %q, %v", content, err)
	}
	if i.Call == "" && i.Exit != 0 || i.Errno != 0 && i.Call != "" && i.Exit == 0 && !c.has(t, done) {
		t.Errorf("it says %d, but has done %q", i.Exit, c.names(t))
	}
	if out, err := c.command(verb).CombinedOutput(); err != nil {
		t.Errorf("run again: %v: %s", err, out)
	}
	if !c.has(t, done) {
		t.Errorf("run again, it left %q, want %q", c.names(t), done)
	}
}

func (c confDir) names(t testing.TB) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func (c confDir) has(t testing.TB, want []string) bool {
	t.Helper()
	want = slices.Clone(want)
	slices.Sort(want)
	return slices.Equal(c.names(t), want)
}

// The rogue lies behind the right file, or before it.
func TestQuarantine(t *testing.T) {
	for _, rogue := range []string{"10-b.conflist", "05-b.conflist"} {
		t.Run(rogue, func(t *testing.T) {
			c := newConfDir(t, rogue)
			effective := []string{"10-a.conflist"}
			if strings.HasPrefix(rogue, "05") {
				effective = append(effective, rogue)
			}
			killed.Each(t, func(t testing.TB) *exec.Cmd {
				c.fresh(t)
				return c.command("quarantine")
			}, func(t testing.TB, i killed.Interruption) {
				c.check(t, i, "quarantine", effective, []string{"10-a.conflist", rogue + ".cni-guard-quarantined", rogue + ".cni-guard-quarantined.record"})
			})
		})
	}
}

func TestRestore(t *testing.T) {
	c := newConfDir(t, "10-b.conflist")
	killed.Each(t, func(t testing.TB) *exec.Cmd {
		c.away(t)
		return c.command("restore")
	}, func(t testing.TB, i killed.Interruption) {
		c.check(t, i, "restore", []string{"10-a.conflist"}, []string{"10-a.conflist", "10-b.conflist"})
	})
}
