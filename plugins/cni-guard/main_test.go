// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"cni-guard": main})
}

// TestScripts runs the plugin as a runtime does: environment and standard input
// in; standard output, standard error and exit code out.
func TestScripts(t *testing.T) {
	if os.Getenv("CNI_GUARD_NODE") != "private" {
		const reason = "needs a private node: run make test, or go test -exec scripts/in-node"
		if os.Getenv("REQUIRE_ALL") == "1" {
			t.Fatal(reason)
		}
		t.Skip(reason)
	}
	testscript.RunT(serial{t}, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Vars = append(env.Vars,
				"CNI_CONTAINERID=c0ffee", "CNI_IFNAME=eth0", "CNI_PATH="+env.WorkDir,
				"STATE="+env.WorkDir+"/state")
			return nil
		},
	})
}

// serial runs the scripts one after the other: they share one node.
type serial struct{ *testing.T }

func (serial) Parallel() {}

func (s serial) Run(name string, f func(testscript.T)) {
	s.T.Run(name, func(t *testing.T) { f(serial{t}) })
}

func (serial) Verbose() bool { return testing.Verbose() }
