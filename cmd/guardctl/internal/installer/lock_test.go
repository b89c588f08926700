// SPDX-License-Identifier: Apache-2.0

package installer_test

import (
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/installer"
	"github.com/cni-guard/cni-guard/pkg/conflist/quarantine"
)

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
}

// Nor does one beside a quarantine of the same conf dir.
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
	if _, err := installer.Lock(t.TempDir(), n.path("conf")); err == nil || !strings.Contains(err.Error(), "another guardctl changes it") {
		t.Errorf("with another record: %v", err)
	}
	release()
}
