// SPDX-License-Identifier: Apache-2.0

package wording

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	gocni "github.com/containerd/go-cni"

	"github.com/cni-guard/cni-guard/conformance/rigtest"
)

// primary stands before the guard in the list and writes down with which
// namespace its DEL was called.
const primary = `#!/bin/sh
echo "$CNI_COMMAND netns=$CNI_NETNS" >> "${0%/*}/calls"
[ ! -e "${0%/*}/broken" ] || { echo '{"code": 100, "msg": "address pool not found"}'; exit 1; }
`

func TestReleasedInFullCompletesTheRemoval(t *testing.T) {
	n := newNetwork(t, "cni-guard", "guardctl")
	if err := n.remove(t); err != nil {
		t.Errorf("go-cni would try again: %v", err)
	}
	n.wantCalls(t, "DEL netns=\n")
}

func TestNotReleasedIsTriedAgain(t *testing.T) {
	n := newNetwork(t, "cni-guard", "guardctl")
	n.write(t, "bin/broken", "", 0o600)
	err := n.remove(t)
	if err == nil {
		t.Fatal("go-cni takes a removal for complete that released nothing")
	}
	if !strings.Contains(err.Error(), "address pool missing") {
		t.Errorf("the error does not say why: %v", err)
	}
	n.wantCalls(t, "DEL netns=\n")
}

func TestWithoutGuardctlIsTriedAgain(t *testing.T) {
	n := newNetwork(t, "cni-guard")
	if err := n.remove(t); err == nil {
		t.Error("go-cni takes a removal for complete that released nothing")
	}
	n.wantCalls(t, "")
}

// A network is a conflist of the primary and the guard in a directory of its own.
type network struct{ dir string }

func newNetwork(t *testing.T, programs ...string) network {
	t.Helper()
	n := network{rigtest.New(t).Dir}
	n.write(t, "bin/primary", primary, 0o700)
	for _, program := range programs {
		data, err := os.ReadFile(filepath.Join(rigtest.GuardDir(t), program))
		if err != nil {
			t.Fatal(err)
		}
		n.write(t, "bin/"+program, string(data), 0o700)
	}
	n.write(t, "net.d/10-net.conflist", n.conflist(), 0o600)
	return n
}

func (n network) conflist() string {
	return fmt.Sprintf(`{"cniVersion":"1.0.0","name":"wording","plugins":[{"type":"primary"},
		{"type":"cni-guard","stateDir":"%[1]s/state","cacheDir":"%[1]s/cache","confDir":"%[1]s/net.d"}]}`, n.dir)
}

func (n network) write(t *testing.T, name, data string, mode os.FileMode) {
	t.Helper()
	path := filepath.Join(n.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(data), mode); err != nil {
		t.Fatal(err)
	}
}

// remove has go-cni remove a pod whose namespace is the node's.
func (n network) remove(t *testing.T) error {
	t.Helper()
	c, err := gocni.New(gocni.WithMinNetworkCount(1), gocni.WithPluginDir([]string{filepath.Join(n.dir, "bin")}))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Load(gocni.WithConfListBytes([]byte(n.conflist()))); err != nil {
		t.Fatal(err)
	}
	return c.Remove(t.Context(), "c0ffee", "/proc/self/ns/net")
}

func (n network) wantCalls(t *testing.T, want string) {
	t.Helper()
	got, err := os.ReadFile(filepath.Join(n.dir, "bin", "calls"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("the primary was called with %q, want %q", got, want)
	}
}
