// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/conflist"
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

// loopbackOnly tells a file whose network is lo.
func (l looked) loopbackOnly() bool {
	return l.refused == nil && !slices.ContainsFunc(l.types(), func(t string) bool { return t != "loopback" })
}

// isCopyOf tells whether a file is the list of another without the guard: that is
// how the primary plugin's file looks where guardctl install put a file of our own
// before it (placement own).
func (l looked) isCopyOf(own looked) bool {
	if l.refused != nil || l.Name != own.Name {
		return false
	}
	isGuard := func(t string) bool { return t == conflist.GuardType }
	return slices.Equal(slices.DeleteFunc(l.types(), isGuard), slices.DeleteFunc(own.types(), isGuard))
}

// multus tells a file of Multus.
func (l looked) multus() bool {
	return slices.ContainsFunc(l.types(), func(t string) bool { return t == "multus" || t == "multus-shim" })
}

// handsOnTo tells a file of Multus that hands pods on to a network. Where it does
// not write its delegates out (clusterNetwork) it is believed.
func (l looked) handsOnTo(network string) bool {
	if l.refused != nil || !l.multus() {
		return false
	}
	for _, p := range l.Plugins {
		var conf struct {
			Delegates []struct {
				Name string `json:"name"`
			} `json:"delegates"`
		}
		if json.Unmarshal(p.Raw, &conf) != nil || len(conf.Delegates) == 0 {
			continue
		}
		return slices.ContainsFunc(conf.Delegates, func(d struct {
			Name string `json:"name"`
		}) bool {
			return d.Name == network
		})
	}
	return true
}

// author names who probably wrote a file, "" where nothing gives it away. Names
// of plugins say more than those of files, which people choose.
func author(name string, l looked) string {
	for _, word := range append(l.types(), l.Name, name) {
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
