// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/rigtest"
)

// An installation is a node with a directory of plugins.
type installation struct {
	*rigtest.Rig
	t               *testing.T
	binDir, confDir string
}

// newInstallation puts programs of a directory into a new one.
func newInstallation(t *testing.T, from string, programs ...string) *installation {
	t.Helper()
	r := rigtest.New(t)
	n := &installation{Rig: r, t: t, binDir: filepath.Join(r.Dir, "bin"), confDir: filepath.Join(r.Dir, "net.d")}
	for _, dir := range []string{n.binDir, n.confDir} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	n.install(from, programs...)
	return n
}

func (n *installation) install(from string, programs ...string) {
	n.t.Helper()
	for _, p := range programs {
		if err := os.Symlink(filepath.Join(from, p), filepath.Join(n.binDir, p)); err != nil {
			n.t.Fatal(err)
		}
	}
}

func (n *installation) copy(from, program string) {
	n.t.Helper()
	data, err := os.ReadFile(filepath.Join(from, program))
	if err == nil {
		err = os.WriteFile(filepath.Join(n.binDir, program), data, 0o755)
	}
	if err != nil {
		n.t.Fatal(err)
	}
}

// conflist writes a network of the node and returns its file.
func (n *installation) conflist(name string, plugins ...chain.Plugin) string {
	n.t.Helper()
	file := filepath.Join(n.confDir, "10-"+name+".conflist")
	data, err := json.Marshal(map[string]any{"cniVersion": "1.0.0", "name": name, "plugins": plugins})
	if err == nil {
		err = os.WriteFile(file, data, 0o644)
	}
	if err != nil {
		n.t.Fatal(err)
	}
	return file
}

// command prepares a self-test of the installation.
func (n *installation) command(flags ...string) *exec.Cmd {
	return exec.Command(filepath.Join(rigtest.GuardDir(n.t), "guardctl"), append([]string{"verify", "--bin-dir", n.binDir}, flags...)...)
}

// verify runs the self-test and fails the test where the node is not as before.
func (n *installation) verify(flags ...string) answer {
	n.t.Helper()
	before := n.seen()
	cmd := n.command(append(flags, "-o", "json")...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		n.t.Fatal(err)
	}
	n.wantSame(before)
	a := answer{t: n.t, exit: cmd.ProcessState.ExitCode()}
	if err := json.Unmarshal(stdout.Bytes(), &a); err != nil {
		n.t.Fatalf("guardctl verify prints no JSON: %v\n%s%s", err, stdout.Bytes(), stderr.Bytes())
	}
	return a
}

// An answer is what the self-test says.
type answer struct {
	t    *testing.T
	exit int

	Verdict string
	Steps   []struct{ Step, State, Saw, Means string }
}

func (a answer) want(exit int, verdict string) {
	a.t.Helper()
	if a.exit != exit || a.Verdict != verdict {
		a.t.Errorf("exit code %d, verdict %q; want %d, %q: %+v", a.exit, a.Verdict, exit, verdict, a.Steps)
	}
}

func (a answer) wantSaw(step, state, saw string) {
	a.t.Helper()
	for _, s := range a.Steps {
		if s.Step == step {
			if s.State != state || !strings.Contains(s.Saw, saw) {
				a.t.Errorf("%s: %s: %s; want %s: %s", step, s.State, s.Saw, state, saw)
			}
			return
		}
	}
	a.t.Errorf("no step %q in %+v", step, a.Steps)
}

func (a answer) wantMeans(step, means string) {
	a.t.Helper()
	for _, s := range a.Steps {
		if s.Step == step && strings.Contains(s.Means, means) {
			return
		}
	}
	a.t.Errorf("no step %q that means %q in %+v", step, means, a.Steps)
}
