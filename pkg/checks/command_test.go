// SPDX-License-Identifier: Apache-2.0

package checks_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// A name of a file or an interface must not become a command of the shell that a
// remedy is pasted into.
func TestCommandsQuoteNames(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a b;touch harm", "$(touch harm).conf")
	lines := []string{`Name=it's%d\n*`, "';touch harm;'"}
	run := exec.Command("sh", "-c", checks.WriteFile(file, lines...))
	run.Dir = dir
	if out, err := run.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != strings.Join(lines, "\n")+"\n" {
		t.Errorf("the file has %q, %v", text, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "harm")); err == nil {
		t.Error("the name ran as a command")
	}

	node, err := netstate.Parse("link cni0 index 8 kind bridge up\nlink v;reboot index 17 kind veth peer 2 up\n")
	if err != nil {
		t.Fatal(err)
	}
	pod, err := netstate.Parse("link eth0 index 2 kind veth peer 17 up\n")
	if err != nil {
		t.Fatal(err)
	}
	target := &checks.Target{
		Netns: &netstate.Netns{Kind: netstate.Sandbox}, IfName: "eth0", Node: node, Pod: pod,
		Want: checks.Interface{Links: []string{"cni0", "v;reboot"}},
	}
	findings, err := checks.BridgePort.Probe(t.Context(), target)
	if want := "Run: ip link set 'v;reboot' master cni0."; err != nil || len(findings) != 1 || findings[0].Remedy != want {
		t.Errorf("got %v, %v, want the remedy %q", findings, err, want)
	}
}
