// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cni-guard/cni-guard/conformance/bundle"
	"github.com/cni-guard/cni-guard/conformance/rigtest"
)

// nodes makes two healthy nodes, near and far, with a pod network as flannel's. Far's
// daemons are none, so that what a failure breaks stays broken.
const nodes = `
for node in near far; do
	ip netns add $node
	ip -n $node link set lo up
	echo 1 | ip netns exec $node tee /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/default/disable_ipv6 >/dev/null
done
ip -n near link add eth0 address 02:00:00:00:01:01 type veth peer name eth0 address 02:00:00:00:01:02 netns far
ip -n near link set eth0 up
ip -n far link set eth0 up
ip -n near address add 192.168.50.11/24 dev eth0
ip -n far address add 192.168.50.12/24 dev eth0
ip -n near route add default via 192.168.50.12
ip -n near link add flannel.1 address 0a:58:00:00:00:01 type vxlan id 1 local 192.168.50.11 dstport 8472 nolearning
ip -n far link add flannel.1 address 0a:58:00:00:00:02 type vxlan id 1 local 192.168.50.12 dstport 8472 nolearning
for node in near far; do
	ip -n $node link set flannel.1 mtu 1450 up
	ip -n $node link add cni0 address 0a:58:0a:f4:00:01 type bridge
	ip -n $node link set cni0 mtu 1450 up
done
ip -n near address add 10.244.0.0/32 dev flannel.1
ip -n far address add 10.244.1.0/32 dev flannel.1
ip -n near address add 10.244.0.1/24 dev cni0
ip -n far address add 10.244.1.1/24 dev cni0
ip -n near neigh add 10.244.1.0 lladdr 0a:58:00:00:00:02 dev flannel.1 nud permanent
ip -n far neigh add 10.244.0.0 lladdr 0a:58:00:00:00:01 dev flannel.1 nud permanent
bridge -n near fdb append 0a:58:00:00:00:02 dev flannel.1 dst 192.168.50.12
bridge -n far fdb append 0a:58:00:00:00:01 dev flannel.1 dst 192.168.50.11
ip -n near route add 10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink
ip -n far route add 10.244.0.0/24 via 10.244.0.0 dev flannel.1 onlink
`

// conflist is the network configuration of near. The plugin bridge stands for flannel's,
// which delegates to it.
const conflist = `{"cniVersion": "1.0.0", "name": "pods", "plugins": [
	{"type": "bridge", "bridge": "cni0", "isGateway": true, "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.244.0.0/24"}]]}},
	{"type": "portmap", "capabilities": {"portMappings": true}},
	{"type": "cni-guard"}]}
`

// attempts bounds how often doctor is asked. On a busy machine the answer to a ping may come
// too late for one run, which has but two seconds.
const attempts = 20

// A Rig is two nodes, and the file system of the near one.
type Rig struct {
	Root string // of near

	t testing.TB
}

// New makes two healthy nodes. They are gone when the test ends.
func New(t testing.TB) *Rig {
	t.Helper()
	if os.Getenv("CNI_GUARD_NODE") != "private" {
		rigtest.Lack(t, "not a private node: run through scripts/in-node")
	}
	rigtest.Need(t, "ip", "bridge", "iptables", "chroot", "mount", "unshare")
	r := &Rig{Root: t.TempDir(), t: t}
	for _, dir := range []string{"proc", "sys", "dev", "tmp", "run", "etc/cni/net.d", "opt/cni/bin", "var/lib/cni"} {
		if err := os.MkdirAll(filepath.Join(r.Root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for from, names := range map[string][]string{
		rigtest.GuardDir(t): {"cni-guard", "guardctl", "loopback"},
		rigtest.RefDir(t):   {"bridge", "host-local", "portmap"},
	} {
		for _, name := range names {
			if out, err := exec.Command("cp", filepath.Join(from, name), filepath.Join(r.Root, "opt/cni/bin", name)).CombinedOutput(); err != nil {
				t.Fatalf("copy %s: %v: %s", name, err, out)
			}
		}
	}
	r.Write("etc/cni/net.d/10-pods.conflist", conflist)
	r.Write("etc/resolv.conf", "nameserver 192.168.50.12\n")
	t.Cleanup(func() {
		_ = exec.Command("sh", "-c", "ip netns pids far | xargs -r kill -9").Run() // the agent, which some failures need
		for _, node := range []string{"near", "far", "pod"} {
			_ = exec.Command("ip", "netns", "delete", node).Run()
		}
	})
	r.Shell(nodes)
	return r
}

// Write writes a file of near.
func (r *Rig) Write(name, text string) {
	r.t.Helper()
	path := filepath.Join(r.Root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

// Shell runs commands outside both nodes. $ROOT is the root of near.
func (r *Rig) Shell(commands string) string {
	r.t.Helper()
	cmd := exec.Command("sh", "-euc", commands)
	cmd.Env = append(os.Environ(), "ROOT="+r.Root, "GUARD="+rigtest.GuardDir(r.t), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

// guardctl returns the command that runs guardctl on near. It has a PID namespace of its
// own: beside the first process of a machine, which is on another network, doctor takes near
// for a container.
func (r *Rig) guardctl(args ...string) *exec.Cmd {
	const enter = `mount -t proc proc "$ROOT/proc"; mount -t sysfs -o ro sysfs "$ROOT/sys"
if [ -d "$ROOT/dmi" ]; then
	mount -t tmpfs tmpfs "$ROOT/sys/class"
	mkdir -p "$ROOT/sys/class/dmi"
	cp -r "$ROOT/dmi" "$ROOT/sys/class/dmi/id"
fi
exec chroot "$ROOT" /opt/cni/bin/guardctl "$@"`
	cmd := exec.Command("ip", append([]string{"netns", "exec", "near", "unshare", "--pid", "--fork", "--kill-child", "sh", "-euc", enter, "guardctl"}, args...)...)
	cmd.Env = append(os.Environ(), "ROOT="+r.Root)
	return cmd
}

// Guardctl runs guardctl on near and returns its standard output, which ends with its exit
// code of 0, 1 or 2.
func (r *Rig) Guardctl(args ...string) (out []byte, took time.Duration) {
	r.t.Helper()
	cmd := r.guardctl(args...)
	var said strings.Builder
	cmd.Stderr = &said
	start := time.Now()
	out, err := cmd.Output()
	took = time.Since(start)
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() > 2 || exit.ExitCode() < 0) {
		r.t.Fatalf("guardctl %q: %v\n%s%s", args, err, out, said.String())
	}
	return out, took
}

// Doctor returns the findings of doctor on near, in the order of its report with minor
// ones last, what it could not tell, and the time that it took.
func (r *Rig) Doctor() (findings []bundle.Finding, unknown []string, took time.Duration) {
	r.t.Helper()
	out, took := r.Guardctl("doctor", "--runtime", "containerd", "-o", "json")
	said, err := bundle.Parse(out)
	if err != nil {
		r.t.Fatalf("guardctl doctor: %v", err)
	}
	for _, c := range said {
		if c.Error != "" {
			unknown = append(unknown, c.Name+": "+c.Error)
		}
	}
	return said.Findings(), unknown, took
}

// Bundle makes a bundle of near of which doctor says what is wanted, if that is possible: on
// a busy machine an answer may come too late for one run. It returns the path of the file.
func (r *Rig) Bundle(wanted func(bundle.Report) bool) string {
	r.t.Helper()
	file := filepath.Join(r.Root, "tmp", "bundle.tar.gz")
	for range attempts {
		r.Guardctl("bundle", "-o", "/tmp/bundle.tar.gz", "--runtime", "containerd")
		said, err := bundle.Recorded(file)
		if err != nil {
			r.t.Fatal(err)
		}
		if wanted(said) {
			break
		}
	}
	return file
}

// judge returns what doctor finds in a bundle on another node. It is an error if that is not
// what it found when the bundle was made.
func (r *Rig) judge(file string) ([]bundle.Finding, error) {
	return bundle.Compare(r.t.Context(), filepath.Join(rigtest.GuardDir(r.t), "guardctl"), file, bundle.Root, bundle.Nobody)
}
