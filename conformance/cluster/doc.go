// SPDX-License-Identifier: Apache-2.0

// Package cluster runs a real Kubernetes: etcd, the control plane, and nodes with kubelet
// and containerd 2 or CRI-O, each in namespaces of its own on this machine. The tests install
// cni-guard there by its Helm chart and play incidents. scripts/cluster.sh runs them.
//
// The control plane is in the network namespace of the test: what happens to a node's lo
// or eth0 does not touch it. Nodes are plugged into a bridge there, as into a switch.
package cluster
