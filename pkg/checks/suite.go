// SPDX-License-Identifier: Apache-2.0

package checks

// Suite gives all checks in the order in which they run and are documented.
func Suite() []*Check { return append(CallSuite(), NodeSuite()...) }

// CallSuite gives the checks that run when a runtime calls. The plugin names no
// others, so that the linker leaves their code out of what starts for every pod.
//
// Not included:
//   - an ADD into another pod's sandbox: the sandbox is minutes away from its
//     first reuse at ADD, and to see it the ledger would have to be searched by
//     cookie, at a cost that grows with the node's pods.
func CallSuite() []*Check {
	return []*Check{
		StaleNetns,
		HostNetns,
		ForeignNetns,
		PodLoopback,
		HostLoopback,
		Conflist, // before what may follow from it: the first refusal is the one that people read
		PodAddress,
		PodCIDR,
		TunnelWarmup,
	}
}

// NodeSuite gives the checks that run without a pod only.
func NodeSuite() []*Check {
	return []*Check{GuardPlacement, RuntimeState, ChainPlugins, PodNetworks, TunnelPeers}
}

// HeadSuite gives the checks that need no result of a primary plugin: those that
// run where the guard also stands first in the list.
func HeadSuite() []*Check { return []*Check{StaleNetns, HostNetns} }

// Names gives the names of all checks, in the order of the suite. A plugin must
// know all of them, for they are keys of its configuration.
func Names() []string {
	var names []string
	for _, c := range CallSuite() {
		names = append(names, c.Name)
	}
	return append(names, guardPlacementName, runtimeStateName, chainPluginsName, podNetworksName, tunnelPeersName)
}
