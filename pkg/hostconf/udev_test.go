// SPDX-License-Identifier: Apache-2.0

package hostconf_test

import (
	"testing"

	"github.com/cni-guard/cni-guard/pkg/hostconf"
)

// The MACs are those that udevd 252 of Debian 12 gave a bridge and a veth.
func TestPersistentMAC(t *testing.T) {
	root := tree(t, map[string]string{"etc/machine-id": "3d1219c7c4c5404aaa1f6d2a48adfda4\n"})
	for name, want := range map[string]string{"late": "ae:e0:ad:85:3b:c3", "lateveth": "8e:3d:c9:ff:a7:ff"} {
		if got, err := root.PersistentMAC(name); err != nil || got.String() != want {
			t.Errorf("PersistentMAC(%s) = %v, %v, want %s", name, got, err, want)
		}
	}
	broken := tree(t, map[string]string{"etc/machine-id": "uninitialized\n"})
	if got, err := broken.PersistentMAC("late"); err == nil {
		t.Errorf("PersistentMAC without a machine ID = %v, want an error", got)
	}
}

var _ = hostconf.Root{}
