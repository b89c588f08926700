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
	Writes Writing
	// Template is where the entry can be added for good; "" where there is no such
	// place.
	Template string
}

// A Writing says what becomes of an entry that somebody adds to a product's file.
type Writing uint8

// The zero Writing is not known.
const (
	Kept      Writing = iota + 1 // the product changes a file that is there, and keeps the entry
	Rewritten                    // the product writes the file again when it starts, without the entry
)

// Products returns the table. The first product with a sign that fits is taken, so
// that those that others are recognized by come later. Sources: the products' own
// manifests and installers, as of 2026; kindnet, k3s and kube-router were run.
func Products() []Product {
	return []Product{
		{"Cilium", []string{"cilium"}, Rewritten, "the file of cni.customConf and cni.configMap (Helm)"},
		{"Istio", []string{"istio"}, Rewritten, ""},
		{"Linkerd", []string{"linkerd"}, Kept, ""},
		{"Antrea", []string{"antrea"}, Rewritten, "antrea-cni.conflist in the ConfigMap antrea-config"},
		{"Multus", []string{"multus"}, Rewritten, ""},
		{"Calico", []string{"calico"}, Rewritten, "cni_network_config in the ConfigMap calico-config; an installation by the Tigera operator has no such place"},
		{"Canal", []string{"canal"}, Rewritten, "cni_network_config in the ConfigMap canal-config"},
		{"k3s", []string{"cbr0-k3s"}, Rewritten, ""},
		{"flannel", []string{"flannel"}, Rewritten, "cni-conf.json in the ConfigMap kube-flannel-cfg"},
		{"Weave Net", []string{"weave"}, Kept, ""},
		{"kindnet", []string{"kindnet"}, Rewritten, ""},
		{"the AWS VPC CNI", []string{"aws"}, Rewritten, ""},
		{"the Azure CNI", []string{"azure"}, Rewritten, ""},
		{"GKE", []string{"gke"}, Rewritten, ""},
		{"Terway", []string{"terway"}, Rewritten, "10-terway.conf in the ConfigMap eni-config"},
		{"OVN-Kubernetes", []string{"ovn-k8s", "ovn-kubernetes"}, Rewritten, ""},
		{"Kube-OVN", []string{"kube-ovn"}, Rewritten, ""},
		{"kube-router", []string{"kuberouter", "kube-router"}, Kept, "cni-conf.json in the ConfigMap kube-router-cfg"},
		{"podman", []string{"podman"}, Kept, ""},
		{"nerdctl", []string{"nerdctl"}, Kept, ""},
		{"the package of CRI-O", []string{"crio"}, Kept, ""},
		{"somebody who followed the examples of containerd", []string{"containerd-net"}, Kept, ""},
		{"MicroShift", []string{"microshift"}, Rewritten, ""},
		{"minikube", []string{"k8s.conflist"}, Rewritten, ""},
		{"kubenet", []string{"kubenet"}, Rewritten, ""},
		{"cni-guard", []string{OwnFile}, Kept, ""},
	}
}

// Writer returns the product that probably wrote a file; ok is false where nothing
// tells. Types of plugins say more than the names of files, which people choose.
func Writer(f conflist.File) (p Product, ok bool) {
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
	p, _ := Writer(conflist.File{Name: f.name, Network: f.list.Name, Plugins: f.list.Types()})
	return p.Name
}
