// SPDX-License-Identifier: Apache-2.0

// Package conflist knows which file of a folder of network configurations a
// runtime takes, and why it takes none of the others.
//
// It follows the code of those that load: containerd by go-cni v1.1.14
// (loadFromConfDir), CRI-O by ocicni v0.5.0 (loadNetworks), both with libcni
// v1.3.1, and cri-dockerd, which has libcni v1.1.2. Conformance tests compare
// Select with the first two on thousands of folders; docs/conflist.md tells
// the rules to people.
//
// Plugins that run for every pod import it, so that it links no libcni, and
// Effective reads no more than the runtime would.
package conflist

// GuardType is the type of the guard's entry in a list of plugins.
const GuardType = "cni-guard"

// OwnFile is the copy of the network plugin's file, with the guard added, that
// guardctl install --placement own writes.
const OwnFile = "00-cni-guard.conflist"
