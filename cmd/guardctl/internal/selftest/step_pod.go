// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"context"
	"strings"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/types"
)

func podLives(ctx context.Context, r *rig) Result {
	if r.find("cni-guard") == "" {
		return skipped("no cni-guard")
	}
	list, addresses, err := r.pods("verify-lives")
	if err != nil {
		return unclear("", "%v", err)
	}
	if !addresses {
		return skipped("no ptp and host-local in %s to make a pod network with", r.where())
	}
	pod, err := r.pod()
	if err != nil {
		return unclear("", "%v", err)
	}
	if verb, err := r.live(ctx, list, pod); err != nil {
		return r.blame("cni-guard", verb, err)
	}
	if n := leases(list.Name); n != 0 {
		return failed("Addresses would run out.", "%d address is held after DEL", n)
	}
	return ok("The guard is in nobody's way.", "ADD, CHECK and DEL of ptp, host-local and cni-guard succeed; the address is given back")
}

// live runs a pod from start to stop and gives the verb that failed.
func (r *rig) live(ctx context.Context, list *libcni.NetworkConfigList, pod *libcni.RuntimeConf) (verb string, err error) {
	r.exec.failed = ""
	defer func() {
		if err != nil {
			failed := r.exec.failed // the DEL that runtimes send after a failure may fail as well
			_ = r.cni.DelNetworkList(ctx, list, pod)
			r.exec.failed = failed
		}
	}()
	if _, err := r.cni.AddNetworkList(ctx, list, pod); err != nil {
		return "ADD", err
	}
	if checkable(list) {
		if err := r.cni.CheckNetworkList(ctx, list, pod); err != nil {
			return "CHECK", err
		}
	}
	return "DEL", r.cni.DelNetworkList(ctx, list, pod)
}

// blame makes a finding of a failure of the plugin named. Another one may lack
// what it has on the real node.
func (r *rig) blame(plugin, verb string, err error) Result {
	switch r.exec.failed {
	case plugin:
		return failed("Pods would fail as this one did.", "%s: %v", verb, err)
	case "": // no plugin was reached
		return unclear("", "%s: %v", verb, err)
	}
	return unclear("Plugin "+r.exec.failed+" may need what is only on the real node, such as its links, its daemon or the cluster.", "%s: %v", verb, err)
}

func podLost(ctx context.Context, r *rig) Result {
	if r.find("cni-guard") == "" {
		return skipped("no cni-guard")
	}
	list, addresses, err := r.pods("verify-lost")
	if err != nil {
		return unclear("", "%v", err)
	}
	pod, err := r.pod()
	if err != nil {
		return unclear("", "%v", err)
	}
	if _, err := r.cni.AddNetworkList(ctx, list, pod); err != nil {
		return r.blame("cni-guard", "ADD", err)
	}
	lost := r.lose(ctx, list, pod)
	switch n := leases(list.Name); {
	case lost.State != OK:
	case addresses && n != 0:
		return failed("Addresses would run out.", "refused, but %d address is still held", n)
	case !addresses:
		lost.Saw += " (there was no address to give back: no ptp and host-local in " + r.where() + ")"
	}
	return lost
}

// lose runs DEL for a pod whose path leads to the node.
func (r *rig) lose(ctx context.Context, list *libcni.NetworkConfigList, pod *libcni.RuntimeConf) Result {
	if err := unpin(pod.NetNS); err != nil {
		return unclear("", "%v", err)
	}
	err := r.cni.DelNetworkList(ctx, list, gone(pod))
	up, lookErr := nodeLoUp()
	switch {
	case lookErr != nil:
		return unclear("", "%v", lookErr)
	case !up:
		if err := setNodeLoUp(); err != nil {
			return unclear("", "%v", err)
		}
		return failed("Whatever talks to 127.0.0.1 on the node would fail.", "the node's lo is DOWN after DEL")
	case err == nil:
		return failed("The plugins behind the guard would act on the node.", "DEL succeeds; it is to be refused")
	case code(err) != types.ErrInvalidNetNS:
		return failed("The runtime would try again for ever.", "DEL fails, but not as the guard refuses: %v", err)
	case !strings.Contains(err.Error(), "namespace not found"):
		return failed("The node is left alone. The pod's address stays allocated: containerd tries again, CRI-O and podman do not.", "refused, not released: %v", err)
	}
	return ok("The node is left alone, and the removal completes.", "refused, and released without the namespace")
}
