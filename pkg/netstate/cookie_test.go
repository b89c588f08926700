// SPDX-License-Identifier: Apache-2.0

package netstate_test

import (
	"errors"
	"regexp"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

func cookie(t testing.TB, path string) uint64 {
	t.Helper()
	n := netstate.OpenNetns(path)
	defer n.Close()
	return cookieOf(t, n)
}

// cookieOf returns the cookie of a namespace. On a kernel without cookies it is 0, and
// the error must say so.
func cookieOf(t testing.TB, n interface{ Cookie() (uint64, error) }) uint64 {
	t.Helper()
	cookie, err := n.Cookie()
	if old := !hasCookies(t); old != errors.Is(err, unix.ENOPROTOOPT) || !old && err != nil || old && cookie != 0 {
		t.Errorf("cookie %d, error %v; the kernel has cookies: %v", cookie, err, !old)
	}
	return cookie
}

// hasCookies asks the kernel for SO_NETNS_COOKIE, which came with Linux 5.14.
func hasCookies(t testing.TB) bool {
	t.Helper()
	s, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	defer unix.Close(s)
	_, err = unix.GetsockoptUint64(s, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
	if err != nil && !errors.Is(err, unix.ENOPROTOOPT) {
		t.Fatal(err)
	}
	return err == nil
}

func TestCookie(t *testing.T) {
	a, b := checktest.Sandbox(t, "a"), checktest.Sandbox(t, "b")
	checktest.Shell(t, "touch /run/again; mount --bind /run/netns/a /run/again")
	t.Cleanup(func() { checktest.Shell(t, "umount /run/again; rm /run/again") })

	of := cookie(t, a)
	n := netstate.OpenNetns(a)
	t.Cleanup(func() { _ = n.Close() })
	if seen := cookieOf(t, view(t, n)); seen != of {
		t.Errorf("the view has cookie %d, want %d", seen, of)
	}
	if !hasCookies(t) {
		return // and that is what Cookie says, by each way
	}
	if of == 0 {
		t.Error("a cookie is 0, which stands for none")
	}
	if again := cookie(t, a); again != of {
		t.Errorf("one namespace has cookies %d and %d", of, again)
	}
	if again := cookie(t, "/run/again"); again != of {
		t.Errorf("by another path one namespace has cookies %d and %d", of, again)
	}
	if other := cookie(t, b); other == of {
		t.Errorf("two namespaces have cookie %d", of)
	}
	if node := cookie(t, "/proc/self/ns/net"); node == of {
		t.Errorf("the node and a sandbox have cookie %d", of)
	}
}

// The kernel gives a new namespace the inode number of one that has just gone.
// That is why no inode number is ever written down.
func TestCookieIsNeverReused(t *testing.T) {
	checktest.PrivateNode(t)
	seen := map[uint64]bool{}
	for range 20 {
		checktest.Shell(t, "ip netns add again")
		c := cookie(t, "/run/netns/again")
		checktest.Shell(t, "ip netns delete again")
		if seen[c] && c != 0 {
			t.Errorf("cookie %d came twice", c)
		}
		seen[c] = true
	}
}

func TestBootID(t *testing.T) {
	id, err := netstate.BootID()
	must(t, err)
	if !regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`).MatchString(id) {
		t.Errorf("boot id is %q", id)
	}
}

// A caller that is done with the namespace as soon as it has its answer must not
// have it closed under the visit, by a collection of garbage.
func TestVisitKeepsNamespaceOpen(t *testing.T) {
	pin := checktest.Sandbox(t, "garbage")
	want := cookie(t, pin)
	everywhere(func() {
		for range 20 {
			n := netstate.OpenNetns(pin)
			runtime.GC()
			if got := cookieOf(t, n); got != want {
				t.Errorf("cookie %d, want %d", got, want)
			}
			v, err := netstate.OpenNetns(pin).View()
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := v.Sysctl("net/ipv4/ip_forward"); err != nil {
				t.Error(err)
			}
		}
	})
}
