// SPDX-License-Identifier: Apache-2.0

package netstate_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

func TestOpenNetns(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	must(t, os.WriteFile(path("empty"), nil, 0o600))
	must(t, os.WriteFile(path("full"), []byte("something"), 0o600))
	must(t, os.Mkdir(path("folder"), 0o700))
	must(t, unix.Mkfifo(path("fifo"), 0o600))
	must(t, os.Symlink("loop", path("loop")))
	must(t, os.Symlink("nowhere", path("dangling")))
	must(t, os.Symlink("/proc/self/ns/net", path("link")))
	socket, err := net.Listen("unix", path("socket"))
	must(t, err)
	defer socket.Close()

	for name, c := range map[string]struct {
		path string
		kind netstate.Kind
		what string
	}{
		"own":              {"/proc/self/ns/net", netstate.Node, ""},
		"own, by dots":     {"/proc/self/../self/ns/../ns/net", netstate.Node, ""},
		"own, by a link":   {path("link"), netstate.Node, ""},
		"empty path":       {"", netstate.Missing, ""},
		"missing":          {path("missing"), netstate.Missing, ""},
		"missing folder":   {path("missing/netns"), netstate.Missing, ""},
		"below a file":     {path("full/netns"), netstate.Missing, ""},
		"dangling link":    {path("dangling"), netstate.Missing, ""},
		"dead process":     {fmt.Sprintf("/proc/%d/ns/net", deadPID(t)), netstate.Missing, ""},
		"zombie":           {fmt.Sprintf("/proc/%d/ns/net", zombiePID(t)), netstate.Missing, ""},
		"unmounted pin":    {path("empty"), netstate.NotNetns, "is an empty file: the mount that pinned the namespace there is gone"},
		"file":             {path("full"), netstate.NotNetns, "is an ordinary file"},
		"folder":           {path("folder"), netstate.NotNetns, "is a directory"},
		"folder of procfs": {"/proc/self/ns", netstate.NotNetns, "is a directory"},
		"fifo":             {path("fifo"), netstate.NotNetns, "is a FIFO"},
		"socket":           {path("socket"), netstate.NotNetns, "is a socket"},
		"device":           {"/dev/null", netstate.NotNetns, "is a device"},
		"loop":             {path("loop"), netstate.NotNetns, "is a loop of symbolic links"},
		"procfs":           {"/proc/self/status", netstate.NotNetns, "is another file of procfs"},
		"other type":       {"/proc/self/ns/uts", netstate.NotNetns, "is a namespace of another type"},
		"long name":        {"/" + strings.Repeat("n", 300), netstate.NotNetns, "is longer than a path can be"},
		"long path":        {strings.Repeat("/n", 3000), netstate.NotNetns, "is longer than a path can be"},
		"zero byte":        {"/proc/self\x00/ns/net", netstate.Unknown, ""},
	} {
		t.Run(name, func(t *testing.T) {
			n := netstate.OpenNetns(c.path)
			defer n.Close()
			if n.Kind != c.kind || n.What != c.what || n.Path != c.path {
				t.Errorf("OpenNetns(%.40q) = %v %q (error %v), want %v %q", c.path, n.Kind, n.What, n.Err, c.kind, c.what)
			}
			if (n.Err != nil) != (n.Kind == netstate.Unknown) {
				t.Errorf("kind %v with error %v", n.Kind, n.Err)
			}
			_, cookieErr := n.Cookie()
			_, viewErr := n.View()
			if n.Kind == netstate.Missing && (cookieErr == nil || viewErr == nil) {
				t.Errorf("Cookie and View of nothing give errors %v and %v", cookieErr, viewErr)
			}
		})
	}
}

// What an ordinary user may not read is neither the node's nor a pod's.
func TestOpenNetnsUnreadable(t *testing.T) {
	const helper = "CNI_GUARD_OPEN"
	if path := os.Getenv(helper); path != "" {
		fmt.Println("kind:", netstate.OpenNetns(path).Kind)
		return
	}
	// Root reads everything, so it asks nobody to look at the path. In a user
	// namespace nobody has no number, and root may not enter the real one's home.
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestOpenNetnsUnreadable$")
	cmd.Env = append(os.Environ(), helper+"=/proc/1/ns/net")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534, NoSetGroups: true}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		cmd = exec.Command("/proc/self/exe", "-test.run=^TestOpenNetnsUnreadable$")
		cmd.Env = append(os.Environ(), helper+"=/root/netns")
		out, err = cmd.CombinedOutput()
	}
	if err != nil || !strings.Contains(string(out), "kind: unknown") {
		t.Errorf("what cannot be read is not of kind unknown: %v\n%s", err, out)
	}
}

// A descriptor stays what it was when it was judged, whatever the path becomes.
func TestOpenNetnsJudgesOnce(t *testing.T) {
	pin := checktest.Sandbox(t, "once")
	n := netstate.OpenNetns(pin)
	defer n.Close()
	before := cookieOf(t, n)
	checktest.Shell(t, "umount -l "+pin+"; mount --bind /proc/self/ns/net "+pin)
	after := cookieOf(t, n)
	if n.Kind != netstate.Sandbox || before != after {
		t.Errorf("kind %v, cookie %d, then %d", n.Kind, before, after)
	}
	if again := netstate.OpenNetns(pin); again.Kind != netstate.Node {
		t.Errorf("opened again it is %v, want node", again.Kind)
	}
}

func TestZeroNetnsIsUnknown(t *testing.T) {
	var n netstate.Netns
	if n.Kind != netstate.Unknown || n.Close() != nil {
		t.Errorf("kind %v, Close %v", n.Kind, n.Close())
	}
	if _, err := n.View(); err == nil {
		t.Error("View returns no error")
	}
}

func TestKindString(t *testing.T) {
	var words []string
	for k := netstate.Unknown; k <= netstate.Sandbox+1; k++ {
		words = append(words, k.String())
	}
	want := "unknown, missing, no namespace, node, sandbox, unknown"
	if got := strings.Join(words, ", "); got != want {
		t.Errorf("kinds are %s, want %s", got, want)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// deadPID returns a number that was a process and is none now.
func deadPID(t *testing.T) int {
	t.Helper()
	cmd := exec.Command("true")
	must(t, cmd.Run())
	return cmd.Process.Pid
}

// zombiePID returns a process that has ended and that nobody has waited for.
func zombiePID(t *testing.T) int {
	t.Helper()
	cmd := exec.Command("true")
	must(t, cmd.Start())
	must(t, unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil))
	t.Cleanup(func() { _ = cmd.Wait() })
	return cmd.Process.Pid
}

// Where NS_GET_NSTYPE is missing, as before Linux 4.11, entering a namespace tells its
// type, also of one that is pinned.
func TestTypeWithoutIoctl(t *testing.T) {
	for path, want := range map[string]bool{
		checktest.Sandbox(t, "typed"): true,
		"/proc/self/ns/net":           true,
		"/proc/self/ns/uts":           false,
		"/proc/self/ns/mnt":           false,
	} {
		file, err := os.Open(path)
		must(t, err)
		network, err := netstate.CanEnter(int(file.Fd()))
		if err != nil || network != want {
			t.Errorf("%s: a network namespace: %v, error %v, want %v", path, network, err, want)
		}
		must(t, file.Close())
		if network, err := netstate.CanEnter(1 << 20); err == nil || network {
			t.Errorf("a descriptor that is none: %v, error %v", network, err)
		}
	}
}

// A socket tells the namespace that it was made in, without procfs and cookies.
func TestNamespaceOfSocket(t *testing.T) {
	check := func() error {
		path, socket, err := netstate.OwnIDs()
		if err != nil || path != socket {
			t.Errorf("by its path the namespace is %v, by a socket %v, error %v", path, socket, err)
		}
		return nil
	}
	must(t, check())
	must(t, sandbox(t, "socket").Enter(check))
}
