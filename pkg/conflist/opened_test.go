// SPDX-License-Identifier: Apache-2.0

package conflist_test

import (
	"errors"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// TestEffectiveReadsNoMore watches which files are opened.
func TestEffectiveReadsNoMore(t *testing.T) {
	four := folder{"1.conflist": of("a", "bridge"), "2.conf": "{", "3.conflist": of("c", "bridge"), "4.conflist": of("d", "bridge"), "5.bak": ""}
	five := folder{"1.conflist": "", "2.conf": single("b", "bridge"), "3.conflist": of("c", "bridge")}
	for name, c := range map[string]struct {
		folder  folder
		runtime conflist.Runtime
		want    string
	}{
		"containerd":               {four, containerd(1), "1.conflist"},
		"containerd, a bad file":   {four, containerd(3), "1.conflist 2.conf"},
		"containerd, all":          {folder{"1.conflist": four["1.conflist"], "3.conflist": four["3.conflist"]}, containerd(0), "1.conflist 3.conflist"},
		"cri-o":                    {five, crio(t, ""), "1.conflist 2.conf"},
		"cri-o, a default network": {five, crio(t, "c"), "1.conflist 2.conf 3.conflist"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := c.folder.make(t)
			opened := watch(t, dir)
			_, _ = conflist.Effective(dir, c.runtime)
			if got := strings.Join(opened(), " "); got != c.want {
				t.Errorf("opened %q, want %q", got, c.want)
			}
			if _, err := conflist.Names(dir); err != nil || len(opened()) > 0 {
				t.Errorf("Names opened files, or failed: %v", err)
			}
		})
	}
}

// watch gives the function that gives the files opened since it was last called.
func watch(t *testing.T, dir string) func() []string {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err == nil {
		_, err = unix.InotifyAddWatch(fd, dir, unix.IN_OPEN)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	return func() []string {
		buf := make([]byte, 64<<10)
		n, err := unix.Read(fd, buf)
		if err != nil && !errors.Is(err, unix.EAGAIN) {
			t.Fatal(err)
		}
		return slices.Compact(names(buf[:max(n, 0)]))
	}
}

func names(events []byte) []string {
	var names []string
	for len(events) > 0 {
		e := (*unix.InotifyEvent)(unsafe.Pointer(&events[0]))
		end := unix.SizeofInotifyEvent + int(e.Len)
		if e.Len > 0 {
			names = append(names, strings.TrimRight(string(events[unix.SizeofInotifyEvent:end]), "\x00"))
		}
		events = events[end:]
	}
	return names
}

// unprivileged lets the test's thread read only what anybody may.
func unprivileged(t *testing.T) {
	t.Helper()
	runtime.LockOSThread() // and never unlocks: the thread ends with the test
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var caps [2]unix.CapUserData
	if err := unix.Capget(&hdr, &caps[0]); err != nil {
		t.Fatal(err)
	}
	for _, c := range []int{unix.CAP_DAC_OVERRIDE, unix.CAP_DAC_READ_SEARCH} {
		caps[0].Effective &^= 1 << c
	}
	if err := os.NewSyscallError("capset", unix.Capset(&hdr, &caps[0])); err != nil {
		t.Fatal(err)
	}
}
