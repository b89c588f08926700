// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/node"
	"github.com/cni-guard/cni-guard/conformance/rigtest"
)

// A node has booted without br_netfilter, as no file of modules-load.d names it: a
// Service that chooses a pod on the client's bridge does not answer, and the guard
// repairs nothing, as it loads no module. What doctor prints cures it at once, for pods
// that run, and the file is there for the next boot.
func TestServiceWithoutBridgeNetfilter(t *testing.T) {
	if os.Getenv("CNI_GUARD_KERNEL") != "vm" {
		t.Skip("removes a kernel module, for which it needs a machine of its own: make test-vm")
	}
	if err := unix.DeleteModule("br_netfilter", 0); err != nil {
		t.Fatal(err)
	}
	// The machine has its modules in one directory, without what modprobe reads.
	run(t, "dir=/usr/lib/modules/$(uname -r) && mkdir -p $dir/kernel /etc/modules-load.d && cp /usr/lib/modules/*.ko $dir/kernel/ && touch $dir/modules.order $dir/modules.builtin && depmod")

	r := rigtest.New(t)
	s := withChain(t, r, guarded, "1.0.0", chain.Bridge(r.HostLocal()))
	run(t, "iptables -w -t nat -N KUBE-SERVICES && iptables -w -t nat -A PREROUTING -j KUBE-SERVICES")
	client, backend := s.hold(), s.holder()
	_, result := s.add("backend", backend.Path())
	address := s.serve(backend.Path(), chain.Address(result)+":8080")
	run(t, "iptables -w -t nat -A KUBE-SERVICES -d 10.96.0.10/32 -p tcp --dport 80 -j DNAT --to-destination "+address)
	const service = "10.96.0.10:80"
	s.wantReached(true, client.Path(), address)
	if err := node.Reach(t.Context(), client.Path(), service, hopeless); err == nil {
		t.Fatal("the Service answers without br_netfilter, so that nothing is replayed")
	}

	doctor := func() (code int, said string) {
		out, err := exec.CommandContext(t.Context(), filepath.Join(rigtest.GuardDir(t), "guardctl"), "doctor", "--check", "bridge-netfilter",
			"--runtime", "containerd", "--conf-dir", filepath.Join(r.Dir, "conf"), "--bin-dir", rigtest.GuardDir(t)+":"+rigtest.RefDir(t)).CombinedOutput()
		if exit := new(exec.ExitError); errors.As(err, &exit) {
			return exit.ExitCode(), string(out)
		}
		if err != nil {
			t.Fatal(err)
		}
		return 0, string(out)
	}
	code, said := doctor()
	command := regexp.MustCompile(`modprobe br_netfilter && echo br_netfilter >/etc/modules-load\.d/[a-z_-]+\.conf`).FindString(said)
	if code != 1 || command == "" {
		t.Fatalf("doctor exits with %d, want 1 and a command that loads br_netfilter:\n%s", code, said)
	}
	run(t, command)
	s.wantReached(true, client.Path(), service)
	if code, said := doctor(); code != 0 {
		t.Errorf("doctor exits with %d after that, want 0:\n%s", code, said)
	}
	run(t, "grep -qx br_netfilter /etc/modules-load.d/*.conf")
}
