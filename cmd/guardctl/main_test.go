// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"guardctl": main, "containerd": fakeContainerd})
}

// TestScripts runs guardctl as an operator does. The stubs of release.txtar are
// shell scripts; no namespace is touched.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata", RequireExplicitExec: true, Setup: func(e *testscript.Env) error {
		e.Setenv("GORACE", "atexit_sleep_ms=0") // or the race detector adds a second to each run of guardctl
		return nil
	}})
}
