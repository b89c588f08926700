// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/cni-guard/cni-guard/pkg/checktest"
)

// TestVerifyScripts runs the self-test on stubs, some of which do what must
// not reach the node. So it runs in a node that may be broken itself.
func TestVerifyScripts(t *testing.T) {
	checktest.PrivateNode(t)
	testscript.Run(t, testscript.Params{Dir: "testdata/verify", RequireExplicitExec: true, Setup: func(e *testscript.Env) error {
		e.Setenv("GORACE", "atexit_sleep_ms=0")
		return nil
	}})
}
