// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"slices"
	"strings"
)

// harmless tells files that rightly lie beside the primary plugin's, as long as
// they do not win: those of podman and nerdctl, which select by name, of Multus,
// and the samples that the packages of CRI-O and containerd bring along.
func harmless(name string) bool {
	switch name {
	case "00-multus.conf", "00-multus.conflist", "10-containerd-net.conflist",
		"10-crio-bridge.conflist", "11-crio-ipv4-bridge.conflist", "100-crio-bridge.conf", "100-crio-bridge.conflist",
		"99-loopback.conf", "99-loopback.conflist", "200-loopback.conf", "200-loopback.conflist":
		return true
	}
	return slices.ContainsFunc([]string{"87-podman", "cni-podman", "nerdctl-"}, func(prefix string) bool {
		return strings.HasPrefix(name, prefix) && strings.HasSuffix(name, ".conflist")
	})
}

// author names who probably wrote a file, "" where nothing gives it away. Names
// of plugins say more than those of files, which people choose.
func author(name string, l looked) string {
	for _, word := range append(l.Types(), l.Name, name) {
		for _, sign := range signs() {
			if strings.Contains(strings.ToLower(word), sign.part) {
				return sign.who
			}
		}
	}
	return ""
}

// A sign is a part of a word that gives an author away.
type sign struct{ part, who string }

func signs() []sign {
	return []sign{
		{"cilium", "Cilium"}, {"calico", "Calico"}, {"flannel", "flannel"}, {"weave", "Weave Net"},
		{"kindnet", "kindnet"}, {"aws", "the AWS VPC CNI"}, {"azure", "the Azure CNI"}, {"antrea", "Antrea"},
		{"ovn-k8s", "OVN-Kubernetes"}, {"kube-ovn", "Kube-OVN"}, {"kuberouter", "kube-router"}, {"kube-router", "kube-router"},
		{"multus", "Multus"}, {"istio", "Istio"}, {"linkerd", "Linkerd"}, {"podman", "podman"}, {"nerdctl", "nerdctl"},
		{"crio", "the package of CRI-O"}, {"containerd-net", "somebody who followed the examples of containerd"},
		{"microshift", "MicroShift"}, {"k8s.conflist", "minikube"}, {"kubenet", "kubenet"},
	}
}
