// SPDX-License-Identifier: Apache-2.0

package conflist_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// calico is a list of the usual size.
const calico = `{
  "name": "k8s-pod-network", "cniVersion": "0.3.1",
  "plugins": [
    {"type": "calico", "log_level": "info", "datastore_type": "kubernetes", "nodename": "node-7", "mtu": 0,
     "log_file_path": "/var/log/calico/cni/cni.log", "ipam": {"type": "calico-ipam"}, "policy": {"type": "k8s"},
     "kubernetes": {"kubeconfig": "/etc/cni/net.d/calico-kubeconfig"}},
    {"type": "portmap", "snat": true, "capabilities": {"portMappings": true}},
    {"type": "bandwidth", "capabilities": {"bandwidth": true}},
    {"type": "cni-guard", "mode": "enforce", "checks": {"pod-address": {"policy": "warn"}}}
  ]
}`

// full makes a directory of twenty entries, 16 of which runtimes load.
func full(b *testing.B) string {
	b.Helper()
	dir := b.TempDir()
	for i := range 20 {
		ext := ".conflist"
		if i >= 16 {
			ext = ".bak"
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d0-net%s", i+10, ext)), []byte(calico), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	return dir
}

// BenchmarkCheck is what the conflist check does on ADD.
func BenchmarkCheck(b *testing.B) {
	dir, r := full(b), conflist.NewRuntime(conflist.Containerd)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := conflist.Names(dir); err != nil {
			b.Fatal(err)
		}
		if f, err := conflist.Effective(dir, r); err != nil || f.Network != "k8s-pod-network" {
			b.Fatal(f, err)
		}
	}
}

// BenchmarkSelect reads all twenty.
func BenchmarkSelect(b *testing.B) {
	dir, r := full(b), conflist.NewRuntime(conflist.Containerd)
	b.ReportAllocs()
	for b.Loop() {
		if s, err := conflist.Select(dir, r); err != nil || s.Effective() == nil {
			b.Fatal(s, err)
		}
	}
}

// BenchmarkRead parses one file.
func BenchmarkRead(b *testing.B) {
	dir := full(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := conflist.Read(dir, "100-net.conflist"); err != nil {
			b.Fatal(err)
		}
	}
}
