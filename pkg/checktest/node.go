// SPDX-License-Identifier: Apache-2.0

package checktest

import (
	"os"
	"os/exec"
	"testing"
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

// Sandbox pins a new network namespace, as a runtime does for a pod, and gives
// its path. For ip -n it has the name given. It goes with the test.
func Sandbox(t testing.TB, name string) string {
	t.Helper()
	PrivateNode(t)
	Shell(t, "ip netns add "+name)
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "delete", name).Run() })
	return "/run/netns/" + name
}
