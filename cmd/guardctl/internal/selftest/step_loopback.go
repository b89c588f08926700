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

func (l *lab) noLoopback() Result {
	return skipped("no loopback in %s; CRI-O needs none, containerd 2 none with use_internal_loopback", l.where())
}

func loopbackAdds(ctx context.Context, l *lab) Result {
	path := l.find("loopback")
	if path == "" {
		return l.noLoopback()
	}
	pod, err := l.pod()
	if err != nil {
		return unclear("", "%v", err)
	}
	pod.IfName = "lo"
	if _, err := l.call(ctx, path, "ADD", pod, loopbackConf()); err != nil {
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
func loopbackSpares(ctx context.Context, l *lab) Result {
	path := l.find("loopback")
	if path == "" {
		return l.noLoopback()
	}
	pod := &libcni.RuntimeConf{ContainerID: "cni-guard-verify-lo", NetNS: nodePath, IfName: "lo"}
	_, err := l.call(ctx, path, "DEL", pod, loopbackConf())
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
