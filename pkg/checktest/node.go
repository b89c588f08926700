// SPDX-License-Identifier: Apache-2.0

package checktest

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// PrivateNode skips the test unless it runs in a node of its own, as
// scripts/in-node makes one, where it may break whatever it likes.
func PrivateNode(t testing.TB) {
	t.Helper()
	if os.Getenv("CNI_GUARD_NODE") != "private" {
		Lacking(t, `no private node to break; run: go test -exec "$PWD/scripts/in-node" ./...`)
	}
	if _, err := exec.LookPath("ip"); err != nil {
		Lacking(t, "no ip; install iproute2")
	}
}

// Lacking skips the test for something that this machine lacks. Where
// REQUIRE_ALL=1 promises that it lacks nothing, it fails the test instead: a
// test that is never run must not look like one that passes.
func Lacking(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("REQUIRE_ALL") == "1" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

// Shell runs commands by sh -eu and fails the test if one of them fails. What
// they print is in the failure.
func Shell(t testing.TB, commands string, env ...string) {
	t.Helper()
	if err := shell(commands, env...); err != nil {
		t.Fatal(err)
	}
}

// Sandbox pins a new network namespace, as a runtime does for a pod, and returns
// its path. ip -n finds it under name. It is removed when the test ends.
func Sandbox(t testing.TB, name string) string {
	t.Helper()
	PrivateNode(t)
	Shell(t, "ip netns add "+name)
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "delete", name).Run() })
	return "/run/netns/" + name
}

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
