// SPDX-License-Identifier: Apache-2.0

package lost

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/checktest"
)

const searchOnly = "TEST_SEARCH_ONLY"

// A process that may not look at another one, or may not enter its namespace, did not
// search everywhere: the pod that it does not find may live.
func TestSearchIsCompleteOnlyIfAllCouldBeAsked(t *testing.T) {
	if os.Getenv(searchOnly) != "" {
		s := &spaces{complete: true}
		s.search()
		fmt.Printf("complete: %t, trouble: %v\n", s.complete, s.trouble)
		return
	}
	checktest.PrivateNode(t)
	checktest.Sandbox(t, "pod")
	for _, c := range []struct{ without, want string }{
		{"", "complete: true, trouble: <nil>"},
		{"sys_ptrace", "complete: false, trouble: stat /proc/"},
		{"sys_admin", "complete: false, trouble: read cookie of "},
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
