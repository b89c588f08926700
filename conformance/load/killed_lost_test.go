// SPDX-License-Identifier: Apache-2.0

package load

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/rigtest"
)

// Killed while it releases a lost pod, perhaps with guardctl at work, which then
// goes on alone: the DEL that the runtime repeats is refused again, and completes.
func TestKilledInRefusedDEL(t *testing.T) {
	const instants = 16
	f := newFull(t, "size=1m")
	all := f.killLost(1<<30, f.add("measured")) // so many stops there never are
	held := 0
	for i := range instants {
		p := f.add(fmt.Sprintf("killed-%02d", i))
		before := f.snapshot()
		f.killLost(all/2+i*all*3/4/instants, p) // the last are beyond the end
		if leases, err := chain.Leases(f.LeaseDir(), p); err != nil || len(leases) > 0 {
			held++
		}
		p.Netns = f.Node.Path
		f.wantRefused(p)
		if after := f.snapshot(); after != before {
			t.Errorf("killed at instant %d, the node changed.\nbefore:\n%s\nafter:\n%s", i, before, after)
		}
	}
	t.Logf("of %d killed, %d had not released the address", instants, held)
	if held == 0 || held == instants {
		t.Error("the instants are not spread around the release")
	}
}

// killLost kills the guard at its stop number n, in a DEL for the pod whose path
// leads to the node. It returns how many stops there were.
func (f *full) killLost(n int, p chain.Pod) int {
	f.t.Helper()
	calls := f.runtime.Calls()
	last := calls[len(calls)-1] // the guard's ADD: DEL is given the same
	if last.Plugin != "cni-guard" || !bytes.Contains(last.Stdin, []byte("prevResult")) {
		f.t.Fatalf("the last call is %s of %s", last.Verb, last.Plugin)
	}
	path := filepath.Join(f.Dir, "stdin")
	if err := os.WriteFile(path, last.Stdin, 0o600); err != nil {
		f.t.Fatal(err)
	}
	stdin, err := os.Open(path)
	if err != nil {
		f.t.Fatal(err)
	}
	defer stdin.Close()
	cmd := exec.Command(filepath.Join(rigtest.GuardDir(f.t), "cni-guard"))
	cmd.Env = append(os.Environ(), "CNI_COMMAND=DEL", "CNI_CONTAINERID="+p.ID, "CNI_IFNAME=eth0",
		"CNI_NETNS="+f.Node.Path, "CNI_PATH="+strings.Join([]string{rigtest.GuardDir(f.t), rigtest.RefDir(f.t)}, ":"))
	stops, err := runUntil(n, cmd, stdin)
	if err != nil {
		f.t.Fatal(err)
	}
	return stops
}
