// SPDX-License-Identifier: Apache-2.0

package checks

// Suite gives all checks in the order in which they run and are documented.
//
// Not included:
//   - an ADD into another pod's sandbox: the sandbox is minutes away from its
//     first reuse at ADD, and to see it the ledger would have to be searched by
//     cookie, at a cost that grows with the node's pods.
func Suite() []*Check {
	return []*Check{
		StaleNetns,
		HostNetns,
		ForeignNetns,
		PodLoopback,
		HostLoopback,
		Conflist, // before what may follow from it: the first refusal is the one that people read
		PodAddress,
		PodCIDR,
		GuardPlacement,
		TunnelWarmup,
		TunnelPeers,
	}
}

// HeadSuite gives the checks that need no result of a primary plugin: those that
// run where the guard also stands first in the list.
func HeadSuite() []*Check { return []*Check{StaleNetns, HostNetns} }

// Names gives the names of all checks, in the order of the suite.
func Names() []string {
	var names []string
	for _, c := range Suite() {
		names = append(names, c.Name)
	}
	return names
}
