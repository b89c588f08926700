// SPDX-License-Identifier: Apache-2.0

package checks_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/checks"
)

// Whatever the file with the guard says, it gives networks, or an error that says
// something.
func FuzzPodRanges(f *testing.F) {
	f.Add("bridge", []byte(`{"ipam": {"type": "host-local", "subnet": "10.1.2.3/16", "ranges": [[{"subnet": "fd00::/64"}]]}}`))
	f.Add("bridge", []byte(`{"ipam": null, "capabilities": null}`))
	f.Add("bridge", []byte(`{"IPAM": {"TYPE": "host-local", "ranges": [null, [null]]}}`))
	f.Fuzz(func(t *testing.T, plugin string, raw []byte) {
		if plugin == "flannel" {
			return // which names a file to read
		}
		text, err := checks.PodRanges(plugin, raw)
		areNetworks(t, text, err)
	})
}

func FuzzFlannelEnv(f *testing.F) {
	f.Add([]byte("FLANNEL_NETWORK=10.42.0.0/16,10.43.0.0/16\nFLANNEL_SUBNET=10.42.3.1/24\n"))
	f.Add([]byte("FLANNEL_IPV6_NETWORK = fd00::/48\r\nFLANNEL_NETWORK=\n=\n"))
	path := filepath.Join(f.TempDir(), "subnet.env")
	f.Fuzz(func(t *testing.T, env []byte) {
		if err := os.WriteFile(path, env, 0o600); err != nil {
			t.Fatal(err)
		}
		text, err := checks.PodRanges("flannel", fmt.Appendf(nil, `{"subnetFile": %q}`, path))
		areNetworks(t, text, err)
	})
}

func areNetworks(t *testing.T, text string, err error) {
	t.Helper()
	if err != nil {
		if text != "" || strings.TrimSpace(err.Error()) == "" {
			t.Errorf("ranges %q with error %q", text, err)
		}
		return
	}
	for part := range strings.SplitSeq(text, ", ") {
		if p, err := netip.ParsePrefix(part); text != "" && (err != nil || p != p.Masked()) {
			t.Errorf("%q is no network: %v", part, err)
		}
	}
}
