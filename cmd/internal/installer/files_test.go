// SPDX-License-Identifier: Apache-2.0

package installer_test

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/cmd/internal/installer"
	"github.com/cni-guard/cni-guard/pkg/checktest"
)

// What was written between the plan and the edit is not overwritten.
func TestWrittenMeanwhile(t *testing.T) {
	n := newNode(t)
	n.write("conf/10-a.conflist", list, 0o600)
	p, err := installer.Install(n.request)
	if err != nil {
		t.Fatal(err)
	}
	n.write("conf/10-a.conflist", list+"\n", 0o600)
	if err := p.Run(func(installer.Step) {}); err == nil || !strings.Contains(err.Error(), "another program has just written it") {
		t.Errorf("got %v", err)
	}
	if n.read("conf/10-a.conflist") != list+"\n" {
		t.Errorf("got %s", n.listing("conf"))
	}
}

// A file that must not be changed is reported before anything changes.
func TestImmutable(t *testing.T) {
	n := newNode(t)
	n.write("conf/10-a.conflist", list, 0o600)
	f, err := os.Open(n.path("conf/10-a.conflist"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	set := func(flags int) error { return unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, flags) }
	if err := set(0x10); err != nil {
		checktest.Lacking(t, "no immutable files here: "+err.Error())
	}
	t.Cleanup(func() { _ = set(0) })
	_, err = installer.Install(n.request)
	if err == nil || !strings.Contains(err.Error(), "10-a.conflist is immutable: find out why, then run chattr -ia") {
		t.Errorf("got %v", err)
	}
	if n.has("bin/cni-guard") || n.has("record/install.json") {
		t.Error("it changed something")
	}
}

// Root in a container may lack what it takes to keep the owner of a file, which must not
// be taken for an immutable file.
func TestLacksCapability(t *testing.T) {
	n := newNode(t)
	n.write("conf/10-a.conflist", list, 0o600)
	if err := os.Chown(n.path("conf/10-a.conflist"), 1000, 1000); err != nil {
		checktest.Lacking(t, "files here have no other owner: "+err.Error())
	}
	p, err := installer.Install(n.request)
	if err != nil {
		t.Fatal(err)
	}
	err = withoutCapabilities(func() error { return p.Run(func(installer.Step) {}) }, unix.CAP_CHOWN)
	if err == nil || !strings.Contains(err.Error(), "lacks CAP_CHOWN") || strings.Contains(err.Error(), "immutable") {
		t.Errorf("got %v", err)
	}
}

// withoutCapabilities runs a function in a thread that lacks some capabilities.
func withoutCapabilities(do func() error, lacking ...uint) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // and the thread ends with the goroutine
		header, data := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, [2]unix.CapUserData{}
		err := unix.Capget(&header, &data[0])
		for _, capability := range lacking {
			data[0].Effective &^= 1 << capability
		}
		if err = errors.Join(err, unix.Capset(&header, &data[0])); err == nil {
			err = do()
		}
		result <- err
	}()
	return <-result
}

// A file that cannot be read may be the one that CRI-O selects, and the next one that can be
// read is none to put the guard into, even if it is named. One that CRI-O does not come to is
// of no account.
func TestCannotRead(t *testing.T) {
	for name, unreadable := range map[string]string{"the selected one": "conf/10-a.conflist", "a later one": "conf/20-b.conflist"} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t)
			n.set("runtime", "crio")
			n.set("file", "20-b.conflist")
			n.write("conf/10-a.conflist", list, 0o640)
			n.write("conf/20-b.conflist", list, 0o640)
			if unreadable == "conf/20-b.conflist" {
				n.set("file", "10-a.conflist")
			}
			if err := os.Chown(n.path(unreadable), 1000, 1000); err != nil {
				checktest.Lacking(t, "files here have no other owner: "+err.Error())
			}
			before := n.listing("conf")
			err := withoutCapabilities(func() error {
				_, err := installer.Install(n.request)
				return err
			}, unix.CAP_DAC_OVERRIDE, unix.CAP_DAC_READ_SEARCH)
			refused := err != nil && strings.Contains(err.Error(), "10-a.conflist: permission denied: root is refused here") && strings.Contains(err.Error(), "CAP_DAC_OVERRIDE")
			if refused != (name == "the selected one") || !refused && err != nil {
				t.Errorf("got %v", err)
			}
			if n.listing("conf") != before {
				t.Errorf("it changed %s", n.listing("conf"))
			}
		})
	}
}

// So is a directory that is read-only.
func TestReadOnly(t *testing.T) {
	checktest.PrivateNode(t)
	n := newNode(t)
	n.write("conf/10-a.conflist", list, 0o600)
	for _, dir := range []string{"conf", "bin"} {
		if err := errors.Join(unix.Mount(n.path(dir), n.path(dir), "", unix.MS_BIND, ""),
			unix.Mount("", n.path(dir), "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, "")); err != nil {
			t.Fatal(err)
		}
		_, err := installer.Install(n.request)
		if err == nil || !strings.Contains(err.Error(), n.path(dir)+" is read-only: remount it") {
			t.Errorf("%s: got %v", dir, err)
		}
		if err := unix.Unmount(n.path(dir), 0); err != nil {
			t.Fatal(err)
		}
		if n.has("bin/cni-guard") || n.has("record/install.json") {
			t.Errorf("%s: it changed something", dir)
		}
	}
}

// A file that is mounted cannot be renamed over: that is reported first, too.
func TestMounted(t *testing.T) {
	checktest.PrivateNode(t)
	n := newNode(t)
	n.write("conf/10-a b.conflist", list, 0o600)
	path := n.path("conf/10-a b.conflist")
	if err := unix.Mount(path, path, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(path, 0) })
	if _, err := installer.Install(n.request); err == nil || !strings.Contains(err.Error(), "is a mount point") || n.has("record/install.json") {
		t.Errorf("got %v", err)
	}
	n.request.Placement = installer.Own
	n.must(installer.Install)
}

// So is a list that was made of a single configuration, and a plugin that is to go.
func TestMountedLater(t *testing.T) {
	checktest.PrivateNode(t)
	n := newNode(t)
	n.write("conf/10-a.conf", `{"cniVersion":"1.0.0","name":"pods","type":"bridge"}`, 0o600)
	n.must(installer.Install)
	n.write("conf/10-a.conf", `{"cniVersion":"1.0.0","name":"pods","type":"bridge","mtu":1400}`, 0o600)
	for path, do := range map[string]func(installer.Request) (installer.Plan, error){
		"conf/10-a.conflist": installer.Install, "bin/cni-guard": installer.Uninstall,
	} {
		path = n.path(path)
		if err := unix.Mount(path, path, "", unix.MS_BIND, ""); err != nil {
			t.Fatal(err)
		}
		n.refuses(do, path+": it is a mount point")
		if err := unix.Unmount(path, 0); err != nil {
			t.Fatal(err)
		}
	}
}

// SELinux's label and lists of access are those of the file that was there.
func TestLabels(t *testing.T) {
	n := newNode(t)
	n.write("conf/10-a.conflist", list, 0o600)
	path := n.path("conf/10-a.conflist")
	if err := unix.Setxattr(path, "user.of.the.file", []byte("x"), 0); err != nil {
		checktest.Lacking(t, "no attributes here: "+err.Error())
	}
	n.must(installer.Install)
	value := make([]byte, 8)
	if got, err := unix.Getxattr(path, "user.of.the.file", value); err != nil || string(value[:got]) != "x" {
		t.Errorf("got %q, %v", value[:max(got, 0)], err)
	}
}
