// SPDX-License-Identifier: Apache-2.0

package netstate_test

import (
	"errors"
	"log"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// sandbox opens a new sandbox, which goes with the test.
func sandbox(t testing.TB, name string) *netstate.Netns {
	t.Helper()
	n := netstate.OpenNetns(checktest.Sandbox(t, name))
	if n.Kind != netstate.Sandbox {
		t.Fatalf("a pinned namespace is of kind %v, error %v", n.Kind, n.Err)
	}
	t.Cleanup(func() { _ = n.Close() })
	return n
}

func here(t testing.TB, whose string) string {
	t.Helper()
	id, err := os.Readlink("/proc/" + whose + "/ns/net")
	must(t, err)
	return id
}

func TestEnterIsInNamespace(t *testing.T) {
	n := sandbox(t, "enter")
	node := here(t, "thread-self")
	var inside string
	must(t, n.Enter(func() error {
		inside = here(t, "thread-self")
		return nil
	}))
	if inside == node {
		t.Errorf("inside is %s, the node's", inside)
	}
}

// No thread that another goroutine may get is ever left in a sandbox.
func TestEnterLeavesNoThreadBehind(t *testing.T) {
	n := sandbox(t, "leave")
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	node := here(t, "thread-self")
	everywhere(func() {
		for range 50 {
			if err := n.Enter(func() error { return nil }); err != nil {
				t.Error(err)
			}
		}
	})
	if now := here(t, "thread-self"); now != node {
		t.Errorf("the thread of the caller is in %s, was in %s", now, node)
	}
	everywhere(func() {
		runtime.LockOSThread() // never unlocked: each gets another thread
		if now := here(t, "thread-self"); now != node {
			t.Errorf("a thread was left in %s", now)
		}
	})
}

// The scheduler gives the work to the main thread where there is no other, as in
// a process that has just begun. /proc/self is that thread: it must be home again.
func TestEnterBringsMainThreadBack(t *testing.T) {
	pin := checktest.Sandbox(t, "main")
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", mainThreadHelper+"="+pin)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// Without procfs, as in a chroot, there is neither a way back nor a look at one's
// own namespace: threads are thrown away, and cookies, or sockets before Linux 5.14, tell
// node from sandbox.
func TestWithoutProcfs(t *testing.T) {
	pin := checktest.Sandbox(t, "chrooted")
	self, err := os.Executable()
	must(t, err)
	cmd := exec.Command("unshare", "--mount", "sh", "-euc", `
		touch /run/node
		mount --bind /proc/self/ns/net /run/node
		mount -t tmpfs none /proc
		exec "$0"`, self)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", noProcfsHelper+"="+pin)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

const (
	mainThreadHelper = "CNI_GUARD_MAIN_THREAD"
	noProcfsHelper   = "CNI_GUARD_NO_PROCFS"
)

// TestMain is the process that two tests start.
func TestMain(m *testing.M) {
	if pin := os.Getenv(mainThreadHelper); pin != "" {
		helpMainThread(pin)
		return
	}
	if pin := os.Getenv(noProcfsHelper); pin != "" {
		helpNoProcfs(pin)
		return
	}
	os.Exit(m.Run())
}

func helpMainThread(pin string) {
	before, _ := os.Readlink("/proc/self/ns/net")
	for range 100 {
		if err := netstate.OpenNetns(pin).Enter(func() error { return nil }); err != nil {
			log.Fatal(err)
		}
	}
	if now, _ := os.Readlink("/proc/self/ns/net"); now != before {
		log.Fatalf("the main thread is in %s, was in %s", now, before)
	}
}

func helpNoProcfs(pin string) {
	for range 20 {
		if n := netstate.OpenNetns(pin); n.Kind != netstate.Sandbox {
			log.Fatalf("a sandbox is of kind %v, error %v", n.Kind, n.Err)
		}
		if n := netstate.OpenNetns("/run/node"); n.Kind != netstate.Node {
			log.Fatalf("the node is of kind %v, error %v", n.Kind, n.Err)
		}
	}
	pod, err := netstate.OpenNetns(pin).View()
	if err != nil {
		log.Fatal(err)
	}
	if lo, err := pod.Link("lo"); err != nil || lo.Up {
		log.Fatalf("lo of a new sandbox: %+v, %v", lo, err)
	}
}

// everywhere runs f on many goroutines at once.
func everywhere(f func()) {
	var all sync.WaitGroup
	for range 32 {
		all.Go(f)
	}
	all.Wait()
}

func TestEnterErrors(t *testing.T) {
	n := sandbox(t, "errors")
	trouble := errors.New("trouble")
	if err := n.Enter(func() error { return trouble }); !errors.Is(err, trouble) {
		t.Errorf("enter = %v, want the error of the function", err)
	}
	err := n.Enter(func() error { panic("oh") })
	if err == nil || !strings.Contains(err.Error(), "panic in namespace: oh") {
		t.Errorf("enter = %v, want the panic", err)
	}
	err = netstate.EnterDescriptor(-1, func() error {
		t.Error("called though there is no namespace")
		return nil
	})
	if err == nil || !strings.HasPrefix(err.Error(), "enter namespace: ") {
		t.Errorf("enter = %v, want one that says what was tried", err)
	}
}

func TestNoDescriptorLeaks(t *testing.T) {
	pin := checktest.Sandbox(t, "leak")
	use := func() {
		n := netstate.OpenNetns(pin)
		v, err := n.View()
		must(t, err)
		cookieOf(t, n)
		_, err = v.Addrs("lo")
		must(t, err)
		_, err = v.Sysctl("net/ipv4/ip_forward")
		must(t, err)
		_ = v.SetSysctl("net/ipv4/nothing", "1")
		v.Close()
		must(t, n.Close())
	}
	use() // the Go runtime opens descriptors of its own the first time
	before := descriptors(t)
	for range 50 {
		use()
	}
	if after := descriptors(t); after > before {
		t.Errorf("%d descriptors are open, %d were", after, before)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	open, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(open)
}
