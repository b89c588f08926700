// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"maps"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/node"
	"github.com/cni-guard/cni-guard/conformance/podrange"
	"github.com/cni-guard/cni-guard/conformance/rigtest"
)

// The range of the pods contains an address that the node needs. As soon as the first pod
// starts, the node sends packets for that address to its pods. No call can prevent that,
// as the range is the cluster's; guardctl doctor names the range and the address.
func TestPodRangeOverlaps(t *testing.T) {
	for _, c := range podrange.Cases() {
		t.Run(c.What, func(t *testing.T) {
			r := rigtest.New(t)
			undo, err := c.Prepare()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = undo() })
			ipam := chain.HostLocal(r.LeaseDir()).With("ranges", [][]map[string]string{{{"subnet": c.Range}}})
			guard := chain.Guard(r.Dir)
			maps.Copy(guard, c.Guard())
			s := withChain(t, r, guarded, "1.0.0", chain.Bridge(ipam))
			if err := s.runtime.Configure("1.0.0", chain.Bridge(ipam), guard); err != nil {
				t.Fatal(err)
			}
			path, err := c.PlugIn(r.Node)
			if err != nil {
				t.Fatal(err)
			}
			address := s.serve(path, c.Needed+":0")
			if err := node.Reach(t.Context(), r.Node.Path, address, patient); err != nil {
				t.Fatalf("the node does not reach %s before the pod: %v", address, err)
			}
			s.hold()
			if err := node.Reach(t.Context(), r.Node.Path, address, hopeless); err == nil {
				t.Fatalf("the node reaches %s beside the pod, so that nothing is replayed", address)
			}
			out, err := exec.CommandContext(t.Context(), filepath.Join(rigtest.GuardDir(t), "guardctl"), "doctor", "--check", "address-overlap",
				"--runtime", "containerd", "--conf-dir", filepath.Join(r.Dir, "conf"),
				"--bin-dir", rigtest.GuardDir(t)+":"+rigtest.RefDir(t)).CombinedOutput()
			if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 1 {
				t.Errorf("doctor: %v, want exit code 1\n%s", err, out)
			}
			for _, want := range c.Finds {
				if !strings.Contains(string(out), want) {
					t.Errorf("doctor does not name %s:\n%s", want, out)
				}
			}
		})
	}
}
