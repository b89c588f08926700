// SPDX-License-Identifier: Apache-2.0

// Package checks holds the failure modes, one file each, and the ordered list of them. It
// does not import CNI: a Target describes a call in the terms of the kernel.
package checks

import "github.com/cni-guard/cni-guard/pkg/guard"

// Suite returns all checks in the order in which they run and are documented.
func Suite() []*Check { return append(CallSuite(), NodeSuite()...) }

// CallSuite returns the checks that run when a runtime calls the plugin.
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
		BridgePort, // before the two that ask what the port's bridge does
		BridgeNetfilter,
		IPForwarding,
		TunnelWarmup,
		RoutingRules,
	}
}

// nodeChecks returns the checks that run without a pod only.
func nodeChecks() []nodeCheck {
	return []nodeCheck{
		guardPlacement{},
		runtimeState{},
		chainPlugins{},
		confChanges{},
		podNetworks{},
		tunnelPeers{},
		overlayPath{},
		overlayFirewall{},
		addressOverlap{},
		reversePath{},
		tablePressure{},
		primaryReady{},
		linkManager{},
		sysctlPersistence{},
		cloudForwarding{},
	}
}

// A nodeCheck is a check that no call of a runtime runs. The plugin must know its name
// and options, which are part of the configuration, but must not carry its code. Only
// NodeSuite calls the method check, and the plugin does not call NodeSuite: so the
// linker removes check, with all that it alone refers to.
type nodeCheck interface {
	declare() guard.Declaration
	check() *Check // without the fields of the declaration
}

// NodeSuite returns the checks that run without a pod only: those of guardctl doctor.
func NodeSuite() []*Check {
	var suite []*Check
	for _, n := range nodeChecks() {
		c, d := n.check(), n.declare()
		c.Name, c.Options = d.Name, d.Options
		suite = append(suite, c)
	}
	return suite
}

// HeadSuite returns the checks that need no result of a primary plugin: those that
// run where the guard also stands first in the list.
func HeadSuite() []*Check { return []*Check{StaleNetns, HostNetns} }

// declarations returns the name and options of every check, in the order of Suite.
func declarations() []guard.Declaration {
	var all []guard.Declaration
	for _, c := range CallSuite() {
		all = append(all, c.Declaration())
	}
	for _, n := range nodeChecks() {
		all = append(all, n.declare())
	}
	return all
}

// Names returns the names of all checks, in the order of Suite.
func Names() []string {
	var names []string
	for _, d := range declarations() {
		names = append(names, d.Name)
	}
	return names
}

// Find returns the check of the name, or nil.
func Find(name string) *Check {
	for _, c := range Suite() {
		if c.Name == name {
			return c
		}
	}
	return nil
}
