// SPDX-License-Identifier: Apache-2.0

package checks_test

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/checks"
)

// The errors of a kernel whose limits are used up are those that the check takes for
// that. A user namespace of its own has limits of its own.
func TestTryInotify(t *testing.T) {
	if limit := os.Getenv("CNI_GUARD_INOTIFY_LIMIT"); limit != "" {
		if err := os.WriteFile("/proc/sys/user/"+limit, []byte("0"), 0); err != nil {
			t.Fatal(err)
		}
		want := map[string]error{"max_inotify_instances": syscall.EMFILE, "max_inotify_watches": syscall.ENOSPC}[limit]
		if err := checks.TryInotify(); !errors.Is(err, want) {
			t.Fatalf("with %s = 0 the error is %v, want %v", limit, err, want)
		}
		return
	}
	if err := checks.TryInotify(); err != nil {
		t.Errorf("with the limits of this machine: %v", err)
	}
	for _, limit := range []string{"max_inotify_instances", "max_inotify_watches"} {
		cmd := exec.Command("/proc/self/exe", "-test.run=^TestTryInotify$")
		cmd.Env = append(os.Environ(), "CNI_GUARD_INOTIFY_LIMIT="+limit)
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", limit, err, strings.TrimSpace(string(out)))
		}
	}
}
