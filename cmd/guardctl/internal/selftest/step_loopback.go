// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"context"
	"strings"

	"github.com/containernetworking/cni/libcni"
)

// loopbackConf is compiled into containerd.
func loopbackConf() map[string]any {
	return map[string]any{"cniVersion": "0.3.1", "name": "cni-loopback", "type": "loopback"}
}

// loopback finds the plugin that the runtime calls for lo. Where it is "" the result
// says why the steps do not apply.
func (r *rig) loopback() (string, Result) {
	if r.NoLoopback != "" {
		return "", skipped("%s", r.NoLoopback)
	}
	path := r.find("loopback")
	if path == "" {
		return "", skipped("no loopback in %s; CRI-O needs none, containerd 2 none with use_internal_loopback", r.where())
	}
	return path, Result{}
}

func loopbackAdds(ctx context.Context, r *rig) Result {
	path, unused := r.loopback()
	if path == "" {
		return unused
	}
	pod, err := r.pod()
	if err != nil {
		return unclear("", "%v", err)
	}
	pod.IfName = "lo"
	if _, err := r.call(ctx, path, "ADD", pod, loopbackConf()); err != nil {
		return failed("containerd and cri-dockerd would start no pod.", "%s: ADD: %v", path, err)
	}
	up, err := sandboxLoUp(pod.NetNS)
	switch {
	case err != nil:
		return unclear("", "%v", err)
	case !up:
		return failed("Pods would have no 127.0.0.1.", "%s: ADD leaves lo of the pod down", path)
	}
	return ok("Pods have their 127.0.0.1.", "%s", path)
}

// loopbackSpares runs the DEL that no chained plugin can stop.
func loopbackSpares(ctx context.Context, r *rig) Result {
	path, unused := r.loopback()
	if path == "" {
		return unused
	}
	pod := &libcni.RuntimeConf{ContainerID: "cni-guard-verify-lo", NetNS: nodePath, IfName: "lo"}
	_, err := r.call(ctx, path, "DEL", pod, loopbackConf())
	up, lookErr := nodeLoUp()
	switch {
	case lookErr != nil:
		return unclear("", "%v", lookErr)
	case !up:
		if err := setNodeLoUp(); err != nil {
			return unclear("", "%v", err)
		}
		return failed("This node's lo would go DOWN when containerd or cri-dockerd stops such a pod: "+
			"run guardctl install --loopback, which puts ours in the place of "+path+", or set use_internal_loopback = true in containerd 2. CRI-O does not call it.",
			"%s takes lo of the node down", path)
	case err != nil && !strings.Contains(err.Error(), "not found"):
		return failed("The node's lo stays up, but the runtime would try again for ever.", "%s: DEL: %v", path, err)
	}
	return ok("This node's lo would stay up.", "%s leaves lo of the node alone", path)
}
