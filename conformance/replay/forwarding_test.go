// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/node"
	"github.com/cni-guard/cni-guard/conformance/rigtest"
)

// The first incident of the seeds: pods cannot reach Services, as the node does not
// forward, or its bridges bypass the rules of kube-proxy. Whoever set the sysctls is
// gone by then. The names of the tests say what was set.

const (
	ipForward      = "/proc/sys/net/ipv4/ip_forward"
	newForward     = "/proc/sys/net/ipv4/conf/default/forwarding"
	bridgeIPTables = "/proc/sys/net/bridge/bridge-nf-call-iptables"
)

// hopeless is how long a connection is waited for that cannot come about, and patient
// how long one that must: a busy machine may take its time.
const (
	hopeless = 2 * time.Second
	patient  = time.Minute
)

// write sets a sysctl of the node.
func (s *rig) write(sysctl, value string) {
	s.Helper()
	if err := os.WriteFile(sysctl, []byte(value), 0o644); err != nil {
		s.Fatal(err)
	}
}

// read returns a sysctl of the node.
func (s *rig) read(sysctl string) string {
	s.Helper()
	value, err := os.ReadFile(sysctl)
	if err != nil {
		s.Fatal(err)
	}
	return strings.TrimSpace(string(value))
}

// serve starts a server in a namespace, and returns its address.
func (s *rig) serve(path, address string) string {
	s.Helper()
	server, err := node.Serve(s.Context(), path, address)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = server.Close() })
	return server.Addr().String()
}

// outside starts a server on a machine beyond the node, and returns its address.
func (s *rig) outside() string {
	s.Helper()
	path, err := s.Node.PlugOutside()
	if err != nil {
		s.Fatal(err)
	}
	return s.serve(path, node.Outside+":0")
}

// wantReached asserts that a connection from a pod is answered with the guard, and
// fails without it: otherwise nothing is replayed.
func (s *rig) wantReached(guarded bool, netns, address string) {
	s.Helper()
	wait := hopeless
	if guarded {
		wait = patient
	}
	err := node.Reach(s.Context(), netns, address, wait)
	switch {
	case guarded && err != nil:
		s.Errorf("the pod does not reach %s: %v", address, err)
	case !guarded && err == nil:
		s.Errorf("the pod reaches %s without the guard, so that nothing is replayed", address)
	case !guarded:
		s.Logf("without the guard: %v", err)
	}
}

// wantRepaired asserts that the repair is an event with the value before and after.
func (s *rig) wantRepaired(check, change string) {
	s.Helper()
	events, err := os.ReadFile(filepath.Join(s.Dir, "state", "events.jsonl"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		s.Fatal(err)
	}
	for line := range strings.Lines(string(events)) {
		if strings.Contains(line, `"state":"repaired"`) && strings.Contains(line, `"check":"`+check+`"`) && strings.Contains(strings.ReplaceAll(line, `\u003e`, ">"), change) {
			return
		}
	}
	s.Errorf("no event says that %s repaired %q:\n%s", check, change, events)
}

// withAndWithout plays a replay on two rigs.
func withAndWithout(t *testing.T, play func(t *testing.T, with setting, guarded bool)) {
	t.Helper()
	t.Run("bare", func(t *testing.T) { play(t, bare, false) })
	t.Run("guarded", func(t *testing.T) { play(t, guarded, true) })
}

// A scan sets ip_forward to 0. The primary is one that leaves it alone, as Calico's
// and Weave's plugins do: the bridge is there before the pods.
func TestForwardingOffAtAdd(t *testing.T) {
	withAndWithout(t, func(t *testing.T, with setting, guarded bool) {
		r := rigtest.New(t)
		bridge := chain.Bridge(r.HostLocal())
		delete(bridge, "isGateway")
		s := withChain(t, r, with, "1.0.0", bridge)
		address := s.outside()
		run(t, "ip link add cni0 type bridge && ip address add 10.88.0.1/24 dev cni0 && ip link set cni0 up")
		s.write(ipForward, "1")
		s.write(ipForward, "0")
		pod := s.hold()
		s.wantReached(guarded, pod.Path(), address)
		if guarded {
			s.wantRepaired("ip-forwarding", "/proc/sys/net/ipv4/ip_forward: 0 -> 1")
		}
	})
}

// The same while pods run. STATUS comes every few seconds, and the next ADD may not
// come for days.
func TestForwardingOffAtStatus(t *testing.T) {
	withAndWithout(t, func(t *testing.T, with setting, guarded bool) {
		r := rigtest.New(t)
		s := withChain(t, r, with, "1.1.0", chain.PTP(r.HostLocal()))
		address := s.outside()
		pod := s.hold()
		s.wantReached(true, pod.Path(), address)
		s.write(ipForward, "0")
		if err := s.runtime.Status(s.Context()); err != nil {
			t.Errorf("STATUS: %v", err)
		}
		s.wantReached(guarded, pod.Path(), address)
		if guarded {
			s.wantRepaired("ip-forwarding", "/proc/sys/net/ipv4/ip_forward: 0 -> 1")
		}
	})
}

// A restart of systemd-sysctl sets conf/default/forwarding to 0, and ip_forward stays
// 1 (NixOS/nixpkgs#118656): the pods that run reach everything, and new ones nothing.
func TestNewInterfacesDoNotForward(t *testing.T) {
	withAndWithout(t, func(t *testing.T, with setting, guarded bool) {
		r := rigtest.New(t)
		s := withChain(t, r, with, "1.0.0", chain.PTP(r.HostLocal()))
		address := s.outside()
		s.write(ipForward, "1")
		s.write(newForward, "0")
		pod := s.hold()
		s.wantReached(guarded, pod.Path(), address)
		if value := s.read(newForward); value != "0" {
			t.Errorf("%s = %s; the guard writes no more than the pod's own file", newForward, value)
		}
		if guarded {
			s.wantRepaired("ip-forwarding", "/proc/sys/net/ipv4/conf/"+chain.NodeSide(s.result)+"/forwarding: 0 -> 1")
		}
	})
}

// A Service chooses a pod on the bridge of the client: the answer goes over the bridge
// past kube-proxy's rules, and the client does not know it.
func TestServiceOnOneBridge(t *testing.T) {
	withAndWithout(t, func(t *testing.T, with setting, guarded bool) {
		r := rigtest.New(t)
		s := withChain(t, r, with, "1.0.0", chain.Bridge(r.HostLocal()))
		s.write(bridgeIPTables, "0")
		// What kube-proxy does, but for the probabilities and marks.
		run(t, "iptables -w -t nat -N KUBE-SERVICES && iptables -w -t nat -A PREROUTING -j KUBE-SERVICES")
		client := s.hold()
		backend := s.holder()
		_, result := s.add("backend", backend.Path())
		address := s.serve(backend.Path(), chain.Address(result)+":8080")
		run(t, "iptables -w -t nat -A KUBE-SERVICES -d 10.96.0.10/32 -p tcp --dport 80 -j DNAT --to-destination "+address)
		s.wantReached(true, client.Path(), address)
		s.wantReached(guarded, client.Path(), "10.96.0.10:80")
		if value := s.read(bridgeIPTables); value != "0" {
			t.Errorf("%s = %s; the guard changes the one bridge only", bridgeIPTables, value)
		}
		if guarded {
			s.wantRepaired("bridge-netfilter", "nf_call_iptables of cni0: 0 -> 1")
		}
	})
}

// Something takes the pod's port off the bridge before ADD returns, and moves it to a
// bridge of its own, once.
func TestPortTakenDuringAdd(t *testing.T) {
	play := func(t *testing.T, guarded bool) {
		r := rigtest.New(t)
		plugins := []chain.Plugin{chain.Bridge(r.HostLocal()), chain.LinkManager()}
		if guarded {
			plugins = append(plugins, chain.Guard(r.Dir))
		}
		for _, program := range []string{"cni-guard", "guardctl", "loopback"} {
			install(t, r.Dir, program)
		}
		scripts := func(r *rigtest.Rig, version string, plugins ...chain.Plugin) *chain.Runtime {
			return r.InstalledIn(filepath.Join(r.Dir, "bin"), version, plugins...)
		}
		s := withChain(t, r, scripts, "1.0.0", plugins...)
		if err := errors.Join(chain.WriteLinkManager(filepath.Join(r.Dir, "bin")), node.AddBridge(r.Node.Path, chain.LinkManagerBridge)); err != nil {
			t.Fatal(err)
		}
		address := s.outside()
		pod := s.hold()
		s.wantReached(guarded, pod.Path(), address)
		if guarded {
			s.wantRepaired("bridge-port", "master of "+chain.NodeSide(s.result)+": br0 -> cni0")
		}
	}
	t.Run("bare", func(t *testing.T) { play(t, false) })
	t.Run("guarded", func(t *testing.T) { play(t, true) })
}

// A restart of systemd-networkd takes the ports of all pods that run. The next ADD
// adds them again, not only its own.
func TestPortsTakenFromRunningPods(t *testing.T) {
	withAndWithout(t, func(t *testing.T, with setting, guarded bool) {
		r := rigtest.New(t)
		s := withChain(t, r, with, "1.0.0", chain.Bridge(r.HostLocal()))
		address := s.outside()
		pod := s.hold()
		s.wantReached(true, pod.Path(), address)
		run(t, "ip link set "+chain.NodeSide(s.result)+" nomaster")
		age(t, filepath.Join(s.Dir, "state", "bridge-port", "looked"))
		s.add("next", s.holder().Path())
		s.wantReached(guarded, pod.Path(), address)
		if guarded {
			s.wantRepaired("bridge-port", "master of "+chain.NodeSide(s.result)+": none -> cni0")
		}
	})
}

// age makes a file as old as if the call that wrote it was minutes ago.
func age(t *testing.T, path string) {
	t.Helper()
	before := time.Now().Add(-5 * time.Minute)
	if err := os.Chtimes(path, before, before); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
}

// run runs commands of a shell on the node.
func run(t *testing.T, commands string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "sh", "-euc", commands).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", commands, err, out)
	}
}
