// SPDX-License-Identifier: Apache-2.0

package netstate_test

import (
	"os"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

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
