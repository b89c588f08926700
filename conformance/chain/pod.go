// SPDX-License-Identifier: Apache-2.0

package chain

import (
	"strings"

	"github.com/containernetworking/cni/libcni"
	types100 "github.com/containernetworking/cni/pkg/types/100"
)

// A Pod is what a runtime knows of a sandbox.
type Pod struct {
	ID    string
	Netns string // CNI_NETNS; "" where the runtime knows that it is gone
	Port  int    // of the node, forwarded to the pod's port 80; 0 for none
}

func (p Pod) config(ifName string) *libcni.RuntimeConf {
	rt := &libcni.RuntimeConf{
		ContainerID: p.ID,
		NetNS:       p.Netns,
		IfName:      ifName,
		Args: [][2]string{
			{"IgnoreUnknown", "1"},
			{"K8S_POD_NAMESPACE", "default"},
			{"K8S_POD_NAME", p.ID},
		},
	}
	if p.Port != 0 {
		rt.CapabilityArgs = map[string]any{
			"portMappings": []map[string]any{{"hostPort": p.Port, "containerPort": 80, "protocol": "tcp"}},
		}
	}
	return rt
}

// Address returns the first address that the result has for the pod.
func Address(r *types100.Result) string {
	if len(r.IPs) == 0 {
		return ""
	}
	return r.IPs[0].Address.IP.String()
}

// NodeSide returns the name of the veth on the node that leads to the pod, or "".
func NodeSide(r *types100.Result) string {
	for _, i := range r.Interfaces {
		if i.Sandbox == "" && strings.HasPrefix(i.Name, "veth") {
			return i.Name
		}
	}
	return ""
}
