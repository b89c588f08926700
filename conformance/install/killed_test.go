// SPDX-License-Identifier: Apache-2.0

package install

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/conformance/killed"
	"github.com/cni-guard/cni-guard/conformance/rigtest"
)

const (
	list = "{\n  \"cniVersion\": \"1.0.0\",\n  \"name\": \"pods\",\n  \"plugins\": [\n    {\"type\": \"bridge\", \"mtu\": 12345678901234567890}\n  ]\n}\n"
	conf = `{"cniVersion": "1.0.0", "name": "pods", "type": "bridge"}`
)

// A scene is a command that is interrupted, and what was there before.
type scene struct {
	name    string
	runtime string
	file    string // the primary plugin's
	content string
	before  [][]string // commands that were run
	command []string
	guarded bool // the guard is in the chain when the command is done
	gone    bool // the programs are gone then
	changed bool // somebody wrote the file after before
}

func scenes() []scene {
	install, withLoopback := []string{"install"}, []string{"install", "--loopback"}
	own := []string{"install", "--placement", "own"}
	installed := [][]string{install}
	return []scene{
		{name: "install", file: "10-a.conflist", content: list, command: withLoopback, guarded: true},
		{name: "install crio", runtime: "crio", file: "10-a.conflist", content: list, command: install, guarded: true},
		{name: "install conf", file: "10-a.conf", content: conf, command: install, guarded: true},
		{name: "install json crio", runtime: "crio", file: "10-a.json", content: conf, command: install, guarded: true},
		{name: "install own", file: "10-a.conflist", content: list, command: own, guarded: true},
		{name: "install again", file: "10-a.conflist", content: list, before: [][]string{install, {"uninstall"}}, command: install, guarded: true},
		{name: "uninstall", file: "10-a.conflist", content: list, before: [][]string{withLoopback}, command: []string{"uninstall"}},
		{name: "uninstall changed", file: "10-a.conflist", content: list, before: installed, command: []string{"uninstall"}, changed: true},
		{name: "uninstall conf", file: "10-a.conf", content: conf, before: installed, command: []string{"uninstall"}},
		{name: "uninstall own crio", runtime: "crio", file: "10-a.conflist", content: list, before: [][]string{own}, command: []string{"uninstall"}},
		{name: "remove", file: "10-a.conflist", content: list, before: [][]string{install, {"uninstall"}}, command: []string{"uninstall", "--grace", "0s"}, gone: true},
		{name: "upgrade", file: "10-a.conflist", content: list, before: [][]string{withLoopback}, command: []string{"upgrade"}, guarded: true},
	}
}

// Wherever a command is killed, and whichever of its writes fails, the runtime
// selects the network with all its plugins; and the command, run again, is done.
func TestInterrupted(t *testing.T) {
	guard, ref, selectBatch := rigtest.GuardDir(t), rigtest.RefDir(t), rigtest.SelectBatch(t)
	first, other := filepath.Join(t.TempDir(), "first"), filepath.Join(t.TempDir(), "other")
	if err := errors.Join(StandIns(guard, first, "first"), StandIns(guard, other, "other")); err != nil {
		t.Fatal(err)
	}
	for _, s := range scenes() {
		t.Run(strings.ReplaceAll(s.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			var n *Node
			killed.Each(t, func(t testing.TB) *exec.Cmd {
				n = s.prepare(t, guard, first, ref)
				n.Select = selectBatch
				if s.command[0] == "upgrade" {
					n.From = other
				}
				return n.Command(s.command[0], s.command[1:]...)
			}, func(t testing.TB, i killed.Interruption) {
				s.check(t, n, i)
				if err := os.RemoveAll(n.Dir); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}
