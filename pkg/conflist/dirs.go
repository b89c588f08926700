// SPDX-License-Identifier: Apache-2.0

package conflist

// ConfDirs are where runtimes look for configurations: upstream's folder, k3s's,
// RKE2's and microk8s's.
func ConfDirs() []string {
	return []string{
		"/etc/cni/net.d",
		"/var/lib/rancher/k3s/agent/etc/cni/net.d",
		"/var/lib/rancher/rke2/agent/etc/cni/net.d",
		"/var/snap/microk8s/current/args/cni-network",
	}
}
