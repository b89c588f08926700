// SPDX-License-Identifier: Apache-2.0

// Package release is what the chained plugin and `guardctl release` agree on.
//
// To release a sandbox is to run DEL of the other plugins of its chain with an
// empty CNI_NETNS: they give back the pod's addresses and remove what they keep
// on the node, and cannot touch a namespace. libcni does that, and libcni has
// no place in a binary that runs for every pod; so the plugin starts guardctl,
// on the one path where it must, and reads its Outcome.
package release

// Variable is set in the environment of the plugins that guardctl calls. A guard
// that is in the chain under another name would otherwise start guardctl again.
const Variable = "CNI_GUARD_RELEASING"
