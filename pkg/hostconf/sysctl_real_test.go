// SPDX-License-Identifier: Apache-2.0

package hostconf_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/hostconf"
)

// On generated trees of sysctl.d, the settings are those that the real programs make
// of them: systemd-sysctl, and `sysctl --system` of procps. The sysctls are such that any
// number may be written to, and that one of them does not change another.
func TestSysctlsAsApplied(t *testing.T) {
	checktest.PrivateNode(t)
	programs := map[string]struct {
		command  []string
		settings func(hostconf.Root) (hostconf.Sysctls, error)
	}{
		"systemd-sysctl":  {[]string{systemdSysctl(t)}, hostconf.Root.BootSysctls},
		"sysctl --system": {[]string{procpsSysctl(t), "--system"}, hostconf.Root.SystemSysctls},
	}
	coverSysctlDirs(t)
	checktest.Shell(t, "ip link add eth0 type veth peer name b.c")
	t.Cleanup(func() { _ = exec.Command("ip", "link", "delete", "eth0").Run() })
	var keys []string
	for _, link := range []string{"all", "lo", "eth0", "b.c"} {
		keys = append(keys, "net/ipv4/conf/"+link+"/tag", "net/ipv4/conf/"+link+"/arp_notify")
	}
	trees := 60
	if testing.Short() {
		trees = 10
	}
	for seed := range trees {
		for name, program := range programs {
			// A new tree for each program, as a failure then shows one of them.
			tree := writeSysctlTree(t, rand.New(rand.NewPCG(uint64(seed), 7)))
			const before = "4711"
			for _, key := range keys {
				if err := os.WriteFile("/proc/sys/"+key, []byte(before), 0); err != nil {
					t.Fatal(err)
				}
			}
			// A line that cannot be applied makes the program fail, and keeps it from nothing.
			out, err := exec.Command(program.command[0], program.command[1:]...).CombinedOutput()
			if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			settings, err := program.settings(hostconf.Root{})
			if err != nil {
				t.Fatal(err)
			}
			for _, key := range keys {
				value, err := os.ReadFile("/proc/sys/" + key)
				if err != nil {
					t.Fatal(err)
				}
				want, got := strings.TrimSpace(string(value)), before
				if setting, ok := settings.Of(key); ok {
					got = setting.Text
				}
				got, _, _ = strings.Cut(got, " ") // the kernel takes the first number
				if _, err := strconv.Atoi(got); err != nil {
					got = before
				}
				if got != want {
					t.Errorf("seed %d: after %s %s is %s, and was to be %s\n%s%s", seed, name, key, want, got, tree, out)
				}
			}
		}
		if t.Failed() {
			return
		}
	}
}

// sysctlDirs are the directories of the programs, but for /lib, which is /usr/lib.
func sysctlDirs() []string {
	return []string{"/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d"}
}

// coverSysctlDirs mounts an empty directory over each of the directories and over
// /etc/sysctl.conf, in the private node.
func coverSysctlDirs(t *testing.T) {
	t.Helper()
	if target, err := os.Readlink("/lib"); err != nil || filepath.Base(target) != "lib" {
		checktest.Lacking(t, "/lib is not /usr/lib here")
	}
	cover := func(dir string) {
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
			t.Fatalf("mount %s: %v", dir, err)
		}
		t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	}
	// /usr/local/lib and /run may lack theirs, and the real /etc may lack sysctl.conf, so
	// these get a directory of their own.
	etc := t.TempDir()
	if err := os.CopyFS(etc, shallow{os.DirFS("/etc")}); err != nil {
		t.Fatal(err)
	}
	cover("/usr/local/lib")
	cover("/etc")
	if err := os.CopyFS("/etc", os.DirFS(etc)); err != nil {
		t.Fatal(err)
	}
	for _, dir := range sysctlDirs() {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cover("/usr/lib/sysctl.d")
}

// shallow has the regular files of a directory that programs need to start.
type shallow struct{ fs.FS }

func (s shallow) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(s.FS, name)
	return slices.DeleteFunc(entries, func(e fs.DirEntry) bool {
		return !slices.Contains([]string{"ld.so.cache", "passwd", "group", "nsswitch.conf"}, e.Name())
	}), err
}

// writeSysctlTree replaces the files of all directories, and returns them for people.
func writeSysctlTree(t *testing.T, random *rand.Rand) string {
	t.Helper()
	pick := func(of ...string) string { return of[random.IntN(len(of))] }
	var shown strings.Builder
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&shown, "%s: %q\n", path, text)
	}
	text := func() string {
		var b strings.Builder
		for range random.IntN(5) {
			b.WriteString(sysctlLine(pick, 1+random.IntN(3)) + pick("\n", "\n", "\n", "\r\n", "\n\n", "  \n"))
		}
		return b.String() + pick("", "", sysctlLine(pick, 7))
	}
	_ = os.Remove("/etc/sysctl.conf")
	for _, dir := range sysctlDirs() {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			_ = os.RemoveAll(filepath.Join(dir, e.Name()))
		}
		for range random.IntN(4) {
			path := filepath.Join(dir, pick("10-a.conf", "20-b.conf", "20-B.conf", "a.conf", "99-z.conf", "5-c.conf", "_d.conf", ".h.conf", "30-e.conf.bak", "README", "~f.conf"))
			_ = os.RemoveAll(path)
			switch random.IntN(12) {
			case 0:
				target := pick("/dev/null", "nowhere", "../sysctl.conf", "/usr/lib/sysctl.d/10-a.conf")
				if target == path { // a loop cannot be read, which systemd-sysctl passes over, and we report
					target = "nowhere"
				}
				if err := os.Symlink(target, path); err != nil {
					t.Fatal(err)
				}
				fmt.Fprintf(&shown, "%s -> %s\n", path, target)
			case 1:
				if err := os.Mkdir(path, 0o755); err != nil {
					t.Fatal(err)
				}
				fmt.Fprintf(&shown, "%s/\n", path)
			default:
				write(path, text())
			}
		}
	}
	if random.IntN(3) > 0 {
		write("/etc/sysctl.conf", text())
	}
	return shown.String()
}

// sysctlLine returns a line of a file.
func sysctlLine(pick func(...string) string, value int) string {
	leaf := pick("tag", "arp_notify")
	key := pick(
		"net.ipv4.conf.LINK.", "net.ipv4.conf.LINK.", "net/ipv4/conf/LINK/", "net.ipv4.conf.b/c.", "net/ipv4/conf/b.c/", "net.ipv4/conf.LINK/", "net/ipv4.conf/LINK.",
		"net.ipv4.conf.*.", "net/ipv4/conf/*/", "net.ipv4.conf.?o.", "net.ipv4.conf.[!l]*.", "net.ipv4.conf.[a-e]*.", "net.ipv4.conf.b*.", "net.ipv4.*.", "net.ipv4.conf.e*0.", "*.ipv4.conf.lo.", "net.ipv4.conf.[lo.",
	) + leaf
	key = strings.ReplaceAll(key, "LINK", pick("lo", "eth0", "all", "none"))
	return pick("", "", "", "-", " ", "\t", "- ", "#", "; ", " #") + key + pick(" = ", "=", "  =\t", "=", "") + strconv.Itoa(value) + pick("", "", "", " ", "\t", " # not a comment")
}

// systemdSysctl returns the program of this machine, or the one that
// scripts/managers.sh unpacked.
func systemdSysctl(t *testing.T) string {
	t.Helper()
	const program = "/usr/lib/systemd/systemd-sysctl"
	unpacked, err := filepath.Abs("../../conformance/bin/managers/own")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(program); err == nil {
		return program
	}
	if _, err := os.Stat(unpacked + program); err != nil {
		checktest.Lacking(t, "neither this machine nor scripts/managers.sh has systemd-sysctl")
	}
	libraries, err := filepath.Glob(unpacked + "/usr/lib/*-linux-gnu*")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("LD_LIBRARY_PATH", strings.Join(append(libraries, unpacked+"/usr/lib/systemd"), ":"))
	return unpacked + program
}

func procpsSysctl(t *testing.T) string {
	t.Helper()
	for _, path := range []string{"/usr/sbin/sysctl", "/sbin/sysctl"} {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	checktest.Lacking(t, "this machine has no sysctl of procps")
	return ""
}
