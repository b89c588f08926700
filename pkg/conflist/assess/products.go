// SPDX-License-Identifier: Apache-2.0

package assess

import (
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// A Product is a program that writes network configurations, and what is known of how
// it does. This table is the only place for such facts.
type Product struct {
	Name string
	// Signs are parts of the types of its plugins, of its networks or of its files, in
	// lower case, by which it is recognized.
	Signs []string
	// Writes says what becomes of an entry that is added to its file.
	Entry EntryFate
	// Template is where the entry can be added for good; "" where there is no such
	// place.
	Template string
}

// A Writing says what becomes of an entry that somebody adds to a product's file.
type EntryFate uint8

// The zero Writing is not known.
const (
	EntryKept EntryFate = iota + 1 // the product changes a file that is there, and keeps the entry
	EntryLost                      // the product writes the file again when it starts, without the entry
)

// Products returns the table. The first product with a sign that fits is taken, so
// that those that others are recognized by come later. Sources: the products' own
// manifests and installers, as of 2026; kindnet, k3s and kube-router were run.
func Products() []Product {
	return []Product{
		{"Cilium", []string{"cilium"}, EntryLost, "the file of cni.customConf and cni.configMap (Helm)"},
		{"Istio", []string{"istio"}, EntryLost, ""},
		{"Linkerd", []string{"linkerd"}, EntryKept, ""},
		{"Antrea", []string{"antrea"}, EntryLost, "antrea-cni.conflist in the ConfigMap antrea-config"},
		{"Multus", []string{"multus"}, EntryLost, ""},
		{"Calico", []string{"calico"}, EntryLost, "cni_network_config in the ConfigMap calico-config; an installation by the Tigera operator has no such place"},
		{"Canal", []string{"canal"}, EntryLost, "cni_network_config in the ConfigMap canal-config"},
		{"k3s", []string{"cbr0-k3s"}, EntryLost, ""},
		{"flannel", []string{"flannel"}, EntryLost, "cni-conf.json in the ConfigMap kube-flannel-cfg"},
		{"Weave Net", []string{"weave"}, EntryKept, ""},
		{"kindnet", []string{"kindnet"}, EntryLost, ""},
		{"the AWS VPC CNI", []string{"aws"}, EntryLost, ""},
		{"the Azure CNI", []string{"azure"}, EntryLost, ""},
		{"GKE", []string{"gke"}, EntryLost, ""},
		{"Terway", []string{"terway"}, EntryLost, "10-terway.conf in the ConfigMap eni-config"},
		{"OVN-Kubernetes", []string{"ovn-k8s", "ovn-kubernetes"}, EntryLost, ""},
		{"Kube-OVN", []string{"kube-ovn"}, EntryLost, ""},
		{"kube-router", []string{"kuberouter", "kube-router"}, EntryKept, "cni-conf.json in the ConfigMap kube-router-cfg"},
		{"podman", []string{"podman"}, EntryKept, ""},
		{"nerdctl", []string{"nerdctl"}, EntryKept, ""},
		{"the package of CRI-O", []string{"crio"}, EntryKept, ""},
		{"somebody who followed the examples of containerd", []string{"containerd-net"}, EntryKept, ""},
		{"MicroShift", []string{"microshift"}, EntryLost, ""},
		{"minikube", []string{"k8s.conflist"}, EntryLost, ""},
		{"kubenet", []string{"kubenet"}, EntryLost, ""},
		{"cni-guard", []string{conflist.OwnFile}, EntryKept, ""},
	}
}

// ProductOf returns the product that probably wrote a file; ok is false where nothing
// tells. Types of plugins say more than the names of files, which people choose.
func ProductOf(f conflist.File) (p Product, ok bool) {
	products := Products()
	for _, word := range append(slices.Clone(f.Plugins), f.Network, f.Name) {
		word = strings.ToLower(word)
		for _, p := range products {
			if slices.ContainsFunc(p.Signs, func(sign string) bool { return strings.Contains(word, sign) }) {
				return p, true
			}
		}
	}
	return Product{}, false
}

// author names who probably wrote a file, "" where nothing tells.
func author(f *file) string {
	p, _ := ProductOf(conflist.File{Name: f.name, Network: f.list.Name, Plugins: f.list.Types()})
	return p.Name
}
