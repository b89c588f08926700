// SPDX-License-Identifier: Apache-2.0

package quarantine_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/conflist/lock"
	"github.com/cni-guard/cni-guard/pkg/conflist/quarantine"
)

// refused wants both ways to be refused with the words, and nothing to change.
func refused(t *testing.T, dir string, words ...string) {
	t.Helper()
	before := names(t, dir)
	_, putErr := quarantine.Put(dir, "b.conf", note())
	_, restoreErr := quarantine.Restore(dir, "c.conf", true)
	for _, err := range []error{putErr, restoreErr} {
		for _, w := range words {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("got %v, want %q", err, w)
			}
		}
	}
	wantNames(t, dir, before...)
}

// both makes a folder with a file to put away and one to bring back.
func both(t *testing.T) string {
	t.Helper()
	dir := folder(t)
	write(t, filepath.Join(dir, "c.conf.cni-guard-quarantined"), doc, 0o600)
	return dir
}

func TestFolderIsALink(t *testing.T) {
	real := both(t)
	link := filepath.Join(t.TempDir(), "net.d")
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	refused(t, link, link+" is a link", "--conf-dir "+real)
	refused(t, link+"/", link+" is a link")
}

func TestFolderIsHeld(t *testing.T) {
	checktest.PrivateNode(t)
	dir := both(t)
	release, err := lock.ConfDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	refused(t, dir, "lock "+dir+": another guardctl changes it at this moment")
}

func TestReadOnly(t *testing.T) {
	checktest.PrivateNode(t)
	dir := both(t)
	run(t, "mount", "--bind", dir, dir)
	run(t, "mount", "-o", "remount,ro,bind", dir)
	refused(t, dir, "read-only file system", "the filesystem of "+dir+" is mounted read-only: remount it")
	run(t, "umount", dir)
}

func TestFileIsAMount(t *testing.T) {
	checktest.PrivateNode(t)
	dir := both(t)
	for _, name := range []string{"b.conf", "c.conf.cni-guard-quarantined"} {
		run(t, "mount", "--bind", filepath.Join(dir, name), filepath.Join(dir, name))
	}
	refused(t, dir, "is a mount of its own: unmount it")
	run(t, "umount", filepath.Join(dir, "b.conf"), filepath.Join(dir, "c.conf.cni-guard-quarantined"))
}

func TestImmutable(t *testing.T) {
	checktest.PrivateNode(t)
	dir := both(t)
	for _, target := range []string{dir, filepath.Join(dir, "b.conf")} {
		if out, err := exec.Command("chattr", "+i", target).CombinedOutput(); err != nil {
			checktest.Lacking(t, "no file can be made immutable here: "+string(out))
		}
		t.Cleanup(func() { run(t, "chattr", "-i", target) })
		before := names(t, dir)
		_, err := quarantine.Put(dir, "b.conf", note())
		if err == nil || !strings.Contains(err.Error(), target+" is immutable: run chattr -i "+target) {
			t.Errorf("got %v", err)
		}
		wantNames(t, dir, before...)
		run(t, "chattr", "-i", target)
	}
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %q: %v: %s", name, args, err, out)
	}
}

func TestUnsuitable(t *testing.T) {
	dir := folder(t)
	if err := os.Mkdir(filepath.Join(dir, "d.conf"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"../b.conf":       "it is no name of a file in the folder",
		"kubeconfig":      "no runtime loads a file of that name",
		"d.conf":          "it is a folder, which no runtime loads",
		"none.conf":       "nor is there one of that name in quarantine",
		"b.conf.bak":      "it can stay",
		".":               "no runtime loads",
		"x/../b.conf":     "it is no name",
		"B.CONF":          "no runtime loads",
		"/etc/cni/b.conf": "it is no name",
	} {
		if _, err := quarantine.Put(dir, name, note()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	if _, err := quarantine.Put(filepath.Join(dir, "none"), "b.conf", note()); err == nil {
		t.Error("a folder that is not there")
	}
	if _, err := quarantine.Restore(dir, "none.conf", false); err == nil || !strings.Contains(err.Error(), "guardctl conf list shows what is") {
		t.Errorf("got %v", err)
	}
}
