// SPDX-License-Identifier: Apache-2.0

package attachment_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/ledger"
	"github.com/cni-guard/cni-guard/pkg/release"
)

// CRI-O may have a mount namespace of its own. It keeps no process in a sandbox
// (drop_infra_ctr), so while no container runs only the mount keeps the namespace, and
// its path is an empty file for all other processes.
func TestLivenessFindsForeignMounts(t *testing.T) {
	checktest.PrivateNode(t)
	s := newScene(t)
	pin := filepath.Join(s.dir, "a pin")
	if err := os.WriteFile(pin, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	crio := exec.Command("unshare", "--mount", "--propagation", "private", "sh", "-ec",
		`unshare --net="$1" true; echo ready; exec cat`, "sh", pin)
	stdin, err := crio.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := crio.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	crio.Stderr = os.Stderr
	if err := crio.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close() // which ends it
		_ = crio.Wait()
	})
	if _, err := fmt.Fscanln(stdout, new(string)); err != nil {
		t.Fatal(err)
	}
	s.record(fmt.Sprintf("/proc/%d/root%s", crio.Process.Pid, pin), func(r *ledger.Record) { r.Netns = pin })

	j := s.lookup().Liveness()
	if j.Verdict != release.Alive || !strings.Contains(fmt.Sprint(j.Reasons()), "a pin, in the mount namespace of process") {
		t.Errorf("the verdict is %s by %q", j.Verdict, j.Reasons())
	}
}
