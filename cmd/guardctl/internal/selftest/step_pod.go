// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"context"
	"strings"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/types"
)

func podStartsAndStops(ctx context.Context, r *rig) Result {
	if r.find("cni-guard") == "" {
		return skipped("no cni-guard")
	}
	list, addresses, err := r.podNetwork("verify-lives")
	if err != nil {
		return unclear("", "%v", err)
	}
	if !addresses {
		return skipped("no ptp and host-local in %s for a pod network", r.binDirs())
	}
	pod, err := r.newPod()
	if err != nil {
		return unclear("", "%v", err)
	}
	if verb, err := r.startAndStop(ctx, list, pod); err != nil {
		return r.blame("cni-guard", verb, err)
	}
	if n := leases(list.Name); n != 0 {
		return failed("Addresses run out, and then no pod can start.", "%d address is still allocated after DEL", n)
	}
	return ok("cni-guard does not disturb pods.", "ADD, CHECK and DEL of ptp, host-local and cni-guard succeed, and the address is freed")
}

// startAndStop runs a pod from ADD to DEL and returns the verb that failed.
func (r *rig) startAndStop(ctx context.Context, list *libcni.NetworkConfigList, pod *libcni.RuntimeConf) (verb string, err error) {
	r.exec.failed = ""
	defer func() {
		if err != nil {
			failed := r.exec.failed // the DEL that runtimes send after a failure may fail, too
			_ = r.cni.DelNetworkList(ctx, list, pod)
			r.exec.failed = failed
		}
	}()
	if _, err := r.cni.AddNetworkList(ctx, list, pod); err != nil {
		return "ADD", err
	}
	if hasCheck(list) {
		if err := r.cni.CheckNetworkList(ctx, list, pod); err != nil {
			return "CHECK", err
		}
	}
	return "DEL", r.cni.DelNetworkList(ctx, list, pod)
}

// blame returns a finding if the named plugin failed. Another plugin may lack something
// that the real node has, so its failure proves nothing.
func (r *rig) blame(plugin, verb string, err error) Result {
	switch r.exec.failed {
	case plugin:
		return failed("Pods fail in the same way.", "%s: %v", verb, err)
	case "": // no plugin was called
		return unclear("", "%s: %v", verb, err)
	}
	return unclear("Plugin "+r.exec.failed+" may need something that only the real node has, such as its links, its daemon or the cluster.", "%s: %v", verb, err)
}

func lostPod(ctx context.Context, r *rig) Result {
	if r.find("cni-guard") == "" {
		return skipped("no cni-guard")
	}
	list, addresses, err := r.podNetwork("verify-lost")
	if err != nil {
		return unclear("", "%v", err)
	}
	pod, err := r.newPod()
	if err != nil {
		return unclear("", "%v", err)
	}
	if _, err := r.cni.AddNetworkList(ctx, list, pod); err != nil {
		return r.blame("cni-guard", "ADD", err)
	}
	result := r.deleteWithNodePath(ctx, list, pod)
	switch n := leases(list.Name); {
	case result.State != OK:
	case addresses && n != 0:
		return failed("Addresses run out, and then no pod can start.", "refused, but %d address is still allocated", n)
	case !addresses:
		result.Saw += " (there was no address to free: no ptp and host-local in " + r.binDirs() + ")"
	}
	return result
}

// deleteWithNodePath ends the sandbox and calls DEL with a path that leads to the node.
func (r *rig) deleteWithNodePath(ctx context.Context, list *libcni.NetworkConfigList, pod *libcni.RuntimeConf) Result {
	if err := endSandbox(pod.NetNS); err != nil {
		return unclear("", "%v", err)
	}
	err := r.cni.DelNetworkList(ctx, list, withNodePath(pod))
	up, loErr := nodeLoUp()
	switch {
	case loErr != nil:
		return unclear("", "%v", loErr)
	case !up:
		if err := setNodeLoUp(); err != nil {
			return unclear("", "%v", err)
		}
		return failed("Connections to 127.0.0.1 on the node fail.", "the node's lo is DOWN after DEL")
	case err == nil:
		return failed("The other plugins act on the node.", "DEL succeeds; cni-guard must refuse it")
	case code(err) != types.ErrInvalidNetNS:
		return failed("The runtime repeats the DEL forever.", "DEL fails, but not with the refusal of cni-guard: %v", err)
	case !strings.Contains(err.Error(), "namespace not found"):
		return failed("The node is safe, but the pod's address stays allocated: containerd tries again, CRI-O and podman do not.", "refused, not released: %v", err)
	}
	return ok("The node is safe, and the removal completes.", "refused, and released without the namespace")
}
