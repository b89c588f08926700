// SPDX-License-Identifier: Apache-2.0

package checktest

import (
	"fmt"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// Scripts runs the scripts of testdata, which call a plugin as a runtime does:
// environment and standard input in; standard output, standard error and exit
// code out. They run in a private node, one after the other, as they share it.
func Scripts(t *testing.T) {
	PrivateNode(t)
	testscript.RunT(serial{t}, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Vars = append(env.Vars, "CNI_CONTAINERID=c0ffee", "CNI_IFNAME=eth0", "CNI_PATH="+env.WorkDir)
			return nil
		},
	})
}

// serial is a testscript.T whose scripts do not run in parallel.
type serial struct{ *testing.T }

// Parallel does nothing.
func (serial) Parallel() {}

// Run runs a script as a subtest.
func (s serial) Run(name string, f func(testscript.T)) {
	s.T.Run(name, func(t *testing.T) { f(serial{t}) })
}

// Skip fails the test where REQUIRE_ALL=1 promises that the machine lacks nothing.
func (s serial) Skip(args ...any) { Lacking(s.T, fmt.Sprint(args...)) }

// Verbose reports whether the log of a script that passes is wanted.
func (serial) Verbose() bool { return testing.Verbose() }
