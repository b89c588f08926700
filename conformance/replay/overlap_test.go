// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/node"
	"github.com/cni-guard/cni-guard/conformance/rigtest"
)

// The pod range of the first incident of the seeds contains an address that the node
// needs: of its own network, its resolver or the API server. As soon as the first pod
// starts, the node sends packets for that address to its pods. No call can prevent that,
// as the range is the cluster's; guardctl doctor names the range and the address.
func TestPodRangeOverlaps(t *testing.T) {
	const service = "198.51.100.53"
	for name, c := range map[string]struct {
		subnet  string
		needed  string // an address beyond the node
		resolv  string // /etc/resolv.conf
		options map[string]any
		finding []string
	}{
		"the node's network": {"192.0.2.0/24", node.Outside, "", nil, []string{"192.0.2.10", "192.0.2.0/24"}},
		"the resolver":       {"198.51.100.0/24", service, "nameserver " + service + "\n", nil, []string{service, "198.51.100.0/24"}},
		"the API server":     {"198.51.100.0/24", service, "", map[string]any{"apiServer": []string{service}}, []string{service, "198.51.100.0/24"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := rigtest.New(t)
			run(t, "mkdir -p /run/systemd/system") // this is a node, whatever container the tests run in
			coverFile(t, "/etc/resolv.conf", c.resolv)
			ipam := chain.HostLocal(r.LeaseDir()).With("ranges", [][]map[string]string{{{"subnet": c.subnet}}})
			guard := chain.Guard(r.Dir)
			if c.options != nil {
				guard = guard.With("checks", map[string]any{"address-overlap": c.options})
			}
			s := withChain(t, r, guarded, "1.0.0", chain.Bridge(ipam))
			if err := s.runtime.Configure("1.0.0", chain.Bridge(ipam), guard); err != nil {
				t.Fatal(err)
			}
			path, err := r.Node.PlugOutside()
			if err != nil {
				t.Fatal(err)
			}
			if c.needed != node.Outside {
				run(t, fmt.Sprintf("nsenter --net=%s ip address add %s/32 dev lo", path, c.needed))
			}
			address := s.serve(path, c.needed+":0")
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
			for _, want := range c.finding {
				if !strings.Contains(string(out), want) {
					t.Errorf("doctor does not name %s:\n%s", want, out)
				}
			}
		})
	}
}

// coverFile mounts a file with the text over another one, for this private node only.
func coverFile(t *testing.T, path, text string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(file, path, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(path, unix.MNT_DETACH) })
}
