// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/rigtest"
)

// waits is a plugin that never ends, and that children of its survive. It holds
// the FIFO open, which a file system that is read-only does not prevent.
const waits = `#!/bin/sh
exec 3>"$FIFO"
echo started >&3
sleep infinity
`

// The operator loses patience, or the machine its memory: nothing is left.
func TestKilled(t *testing.T) {
	n := newInstallation(t, rigtest.GuardDir(t), "cni-guard", "guardctl")
	if err := os.WriteFile(filepath.Join(n.binDir, "waits"), []byte(waits), 0o755); err != nil {
		t.Fatal(err)
	}
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("FIFO", fifo)
	file := n.conflist("waits", chain.Plugin{"type": "waits"}, chain.Guard(t.TempDir()))
	before := n.seen()
	delete(before, "processes") // the end of the last is heard below; a moment later it is gone

	cmd := n.command("--chain", file)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	heard, err := os.Open(fifo) // waits for the plugin
	if err != nil {
		t.Fatal(err)
	}
	defer heard.Close()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	// Long before the self-test would itself give up on the plugin.
	if err := heard.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(heard); err != nil { // until the last process that holds it has ended
		t.Fatalf("a plugin outlives guardctl: %v", err)
	}
	n.wantSame(before)
}
