// SPDX-License-Identifier: Apache-2.0

package installer_test

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/cmd/internal/installer"
	"github.com/cni-guard/cni-guard/pkg/conflist/quarantine"
)

// rewriting does a plan while the network plugin rewrites its file, at most so many
// times, each time when the record was written: right before the edit.
func (n *node) rewriting(times int, content string) (wrote int, err error) {
	_, _, err = installer.Do(n.request, installer.Install, func(s installer.Step) {
		if !strings.HasPrefix(s.Does, "record in") || wrote == times {
			return
		}
		wrote++
		mtu := strings.Replace(content, `"bridge"`, `"bridge","mtu":`+strings.Repeat("1", wrote), 1)
		n.write("conf/10-a.conflist", mtu, 0o600)
	})
	return wrote, err
}

// What the network plugin writes while install works is kept, and gets the guard.
func TestRewrittenMeanwhile(t *testing.T) {
	for _, times := range []int{1, 3} {
		n := newNode(t)
		n.write("conf/10-a.conflist", list, 0o600)
		wrote, err := n.rewriting(times, list)
		now := n.read("conf/10-a.conflist")
		if err != nil || wrote != times || !strings.Contains(now, `"mtu":`+strings.Repeat("1", times)+"}") || !strings.Contains(now, "cni-guard") {
			t.Errorf("rewritten %d times: %v\n%s", wrote, err, now)
		}
		n.must(installer.Uninstall)
		if now := n.read("conf/10-a.conflist"); strings.Contains(now, "cni-guard") || !strings.Contains(now, "mtu") {
			t.Errorf("uninstalled: %s", now)
		}
	}
}

// A file that is rewritten all the time is left alone.
func TestRewrittenAllTheTime(t *testing.T) {
	n := newNode(t)
	n.write("conf/10-a.conflist", list, 0o600)
	wrote, err := n.rewriting(100, list)
	if !errors.Is(err, installer.ErrRewritten) || wrote != 5 || !strings.Contains(err.Error(), "--placement own") {
		t.Errorf("rewritten %d times: %v", wrote, err)
	}
	if now := n.read("conf/10-a.conflist"); strings.Contains(now, "cni-guard") || !strings.Contains(now, `"mtu":11111}`) {
		t.Errorf("the last file of the network plugin is not there: %s", now)
	}
}

// A single configuration is rewritten after its list was made, before it is renamed.
func TestRewrittenBeforeTheRename(t *testing.T) {
	n := newNode(t)
	const single = `{"cniVersion":"1.0.0","name":"pods","type":"bridge"}`
	n.write("conf/10-a.conf", single, 0o600)
	newer := strings.Replace(single, `"bridge"`, `"bridge","mtu":1400`, 1)
	_, _, err := installer.Do(n.request, installer.Install, func(s installer.Step) {
		if strings.HasPrefix(s.Does, "write ") && strings.HasSuffix(s.Does, ".conflist") && !strings.Contains(n.read("conf/10-a.conf"), "mtu") {
			n.write("conf/10-a.conf", newer, 0o600)
		}
	})
	if err != nil || !strings.Contains(n.read("conf/10-a.conflist"), "1400") || n.read("conf/10-a.conf.cni-guard-orig") != newer {
		t.Errorf("got %v\n%s", err, n.listing("conf"))
	}
}

// So is the guard's own copy, when a plugin is added to it, while uninstall
// removes it.
func TestRewrittenBeforeTheRemoval(t *testing.T) {
	n := newNode(t)
	n.request.Placement = installer.Own
	n.write("conf/10-a.conflist", list, 0o600)
	n.must(installer.Install)
	p, err := installer.Uninstall(n.request)
	if err != nil {
		t.Fatal(err)
	}
	n.write("bin/istio-cni", answers, 0o755)
	n.write("conf/00-cni-guard.conflist", strings.Replace(n.read("conf/00-cni-guard.conflist"), "]", `,{"type":"istio-cni"}]`, 1), 0o600)
	if err := p.Run(func(installer.Step) {}); !errors.Is(err, installer.ErrRewritten) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(n.path("conf/00-cni-guard.conflist")); err != nil {
		t.Error(err)
	}
}

// Two commands do not work at once.
func TestLock(t *testing.T) {
	n := newNode(t)
	dir := n.path("record")
	release, err := installer.Lock(dir, n.path("conf"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := installer.Lock(dir, n.path("conf")); err == nil || !strings.Contains(err.Error(), "another guardctl") {
		t.Errorf("got %v", err)
	}
	release()
	if release, err = installer.Lock(dir, n.path("conf")); err != nil {
		t.Error(err)
	}
	release()
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a record the lock leaves its directory: %v", err)
	}
}

// A lock whose file was removed meanwhile is not the lock of the next command.
func TestLockOfRemovedFile(t *testing.T) {
	n := newNode(t)
	dir := n.path("record")
	first, err := installer.Lock(dir, n.path("conf"))
	if err != nil {
		t.Fatal(err)
	}
	n.write("record/install.json", "{}", 0o600)
	first()
	if _, err := os.Stat(n.path("record/lock")); err != nil {
		t.Errorf("with a record the lock goes: %v", err)
	}
	second, err := installer.Lock(dir, n.path("conf"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(n.path("record/lock")); err != nil {
		t.Fatal(err)
	}
	third, err := installer.Lock(dir, n.path("conf"))
	if err == nil {
		third()
		t.Error("two commands have the conf dir at once")
	}
	second()
}

// Nor does one beside a quarantine of the same config directory.
func TestLockOfQuarantine(t *testing.T) {
	n := newNode(t)
	n.write("conf/10-a.conflist", list, 0o600)
	release, err := installer.Lock(n.path("record"), n.path("conf"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := quarantine.Put(n.path("conf"), "10-a.conflist", quarantine.Note{}); err == nil || !strings.Contains(err.Error(), "another guardctl") {
		t.Errorf("got %v", err)
	}
	if _, err := installer.Lock(t.TempDir(), n.path("conf")); err == nil || !strings.Contains(err.Error(), "another guardctl is changing it") {
		t.Errorf("with another record: %v", err)
	}
	release()
}
