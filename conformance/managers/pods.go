// SPDX-License-Identifier: Apache-2.0

package managers

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/cni-guard/cni-guard/conformance/chain"
)

// A Pod is one that the bridge plugin, or ptp, attached.
type Pod struct {
	ID   string
	Addr string
	Veth string // the node's end
}

// runtimeDir is where the runtime of a node keeps its things.
const runtimeDir = "/run/runtime"

// insideVariable marks, in the environment, the test binary that runs on a node in
// order to attach a pod: "bridge ID true" with the guard.
const insideVariable = "CNI_GUARD_INSIDE"

// Add attaches a pod to cni0, with the guard at the end of the chain or without.
func (n *Node) Add(id string, guarded bool) Pod { return n.add("bridge", id, guarded) }

// AddRouted attaches a pod by a route on the node, as ptp does.
func (n *Node) AddRouted(id string, guarded bool) Pod { return n.add("ptp", id, guarded) }

func (n *Node) add(primary, id string, guarded bool) Pod {
	n.t.Helper()
	n.Run("ip netns add " + id)
	cmd := n.command("/opt/cni/bin/inside")
	cmd.Env = append(cmd.Env, fmt.Sprintf("%s=%s %s %v", insideVariable, primary, id, guarded))
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	var pod Pod
	if err == nil {
		err = json.Unmarshal(out, &pod)
	}
	if err != nil {
		n.t.Fatalf("add %s: %v\n%s%s", id, err, out, complaints.String())
	}
	return pod
}

// Inside attaches a pod, as CNI_GUARD_INSIDE says, and prints it. It is for the process
// that runs on the node.
func Inside() error {
	var primary, id string
	var guarded bool
	if _, err := fmt.Sscan(os.Getenv(insideVariable), &primary, &id, &guarded); err != nil {
		return fmt.Errorf("parse %s: %w", insideVariable, err)
	}
	ipam := chain.HostLocal(runtimeDir + "/leases")
	plugins := []chain.Plugin{chain.Bridge(ipam)}
	if primary == "ptp" {
		plugins[0] = chain.PTP(ipam)
	}
	if guarded {
		plugins = append(plugins, chain.Guard(runtimeDir))
	}
	r, err := chain.NewRuntime(runtimeDir, []string{"/opt/cni/bin"}, os.Stderr, "1.0.0", plugins...)
	if err != nil {
		return err
	}
	result, err := r.Add(context.Background(), chain.Pod{ID: id, Netns: "/run/netns/" + id})
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(Pod{id, chain.Address(result), chain.NodeSide(result)})
}

// Reaches reports whether the node reaches the pod: a connection is refused where the
// pod hears of it, as no program listens there.
func (n *Node) Reaches(p Pod) bool {
	out, _ := n.Try(fmt.Sprintf("timeout 3 bash -c 'exec 3<>/dev/tcp/%s/9' 2>&1 || :", p.Addr))
	return strings.Contains(out, "refused")
}

// isPort returns commands that succeed if a veth is a port of the bridge.
func isPort(veth, bridge string) string {
	return fmt.Sprintf("ip -o link show %s | grep -q 'master %s '", veth, bridge)
}
