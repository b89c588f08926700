// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"os/exec"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/cni-guard/cni-guard/pkg/checktest"
)

// TestNodeScripts runs guardctl on directories that stand for the file system of a node.
// There is no shell in them, so that the programs are the real ones, in $PROGRAMS.
func TestNodeScripts(t *testing.T) {
	checktest.PrivateNode(t)
	if _, err := exec.LookPath("go"); err != nil {
		checktest.Lacking(t, "no go command to build the programs with")
	}
	programs := t.TempDir()
	for _, program := range []string{"cmd/guardctl", "plugins/cni-guard", "plugins/loopback"} {
		cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", programs+"/", "github.com/cni-guard/cni-guard/"+program)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v: %s", program, err, out)
		}
	}
	testscript.Run(t, testscript.Params{Dir: "testdata/node", RequireExplicitExec: true, Setup: func(e *testscript.Env) error {
		e.Setenv("GORACE", "atexit_sleep_ms=0")
		e.Setenv("PROGRAMS", programs)
		return nil
	}})
}
