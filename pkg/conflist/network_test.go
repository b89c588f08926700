// SPDX-License-Identifier: Apache-2.0

package conflist

import (
	"testing"

	"github.com/containernetworking/cni/pkg/utils"
)

func FuzzName(f *testing.F) {
	for _, name := range []string{"", "a", "k8s-pod-network", "10-a.conf", ".a", "-a", "_", "a/b", "a b", "Z9_.-", "é", "a\x00", "a\n"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if want := utils.ValidateNetworkName(name) == nil; ValidName(name) != want {
			t.Errorf("%q: libcni says %v", name, want)
		}
	})
}
