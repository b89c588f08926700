// SPDX-License-Identifier: Apache-2.0

package attachment

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/ledger"
)

const searchOnly = "TEST_SEARCH_ONLY"

// Without the capabilities to stat another process's namespace, or to enter it, the
// search is incomplete: the pod that it does not find may be alive.
func TestSearchWithoutCapabilities(t *testing.T) {
	if os.Getenv(searchOnly) != "" {
		s := &namespaces{complete: true, seen: map[namespaceID]bool{}}
		s.search()
		fmt.Printf("complete: %t, error: %v\n", s.complete, s.err)
		return
	}
	checktest.PrivateNode(t)
	checktest.Sandbox(t, "pod")
	for _, c := range []struct{ without, want string }{
		{"", "complete: true, error: <nil>"},
		{"sys_ptrace", "complete: false, error: stat /proc/"},
		{"sys_admin", "complete: false, error: read cookie of "},
	} {
		command := []string{os.Args[0], "-test.run=^" + t.Name() + "$", "-test.v"}
		if c.without != "" {
			command = append([]string{"setpriv", "--bounding-set=-" + c.without, "--inh-caps=-" + c.without}, command...)
		}
		child := exec.Command(command[0], command[1:]...)
		child.Env = append(os.Environ(), searchOnly+"=1")
		out, err := child.CombinedOutput()
		if err != nil || !strings.Contains(string(out), c.want) {
			t.Errorf("without %q: %v, %s; want %q", c.without, err, out, c.want)
		}
	}
}

// Without the boot ID, a record is neither of this boot nor of an earlier one, and other
// records do not show which pod has an address.
func TestUnknownBootProvesNothing(t *testing.T) {
	k := Info{record: &ledger.Record{BootID: "a boot", Cookie: 7}, ledger: ledger.Ledger(t.TempDir())}
	if k.isOfEarlierBoot() {
		t.Error("the record is taken for one of an earlier boot")
	}
	if got := (&evidence{info: k}).cookie(); got != 0 {
		t.Errorf("cookie %d counts, which may be of another boot", got)
	}
	if holder, err := k.recordedHolder(nil, time.Time{}); err == nil {
		t.Errorf("the holder is %q, without an error", holder)
	}
}
