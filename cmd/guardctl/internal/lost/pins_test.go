// SPDX-License-Identifier: Apache-2.0

package lost_test

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

// CRI-O may have a mount namespace of its own. It keeps no process for a sandbox
// (drop_infra_ctr), so between two restarts of its containers there is only the pin,
// which is an empty file for everybody else.
func TestJudgeFindsPinsOfOthers(t *testing.T) {
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

	j := s.look().Judge()
	if j.Verdict != release.Alive || !strings.Contains(fmt.Sprint(j.Because()), "a pin pins it, in the mount namespace of process") {
		t.Errorf("the verdict is %s by %q", j.Verdict, j.Because())
	}
}
