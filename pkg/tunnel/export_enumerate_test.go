// SPDX-License-Identifier: Apache-2.0

package tunnel

import "github.com/cni-guard/cni-guard/pkg/netstate"

// Steps gives how many entries and look-ups Enumerate makes of a dump.
func Steps(d netstate.TunnelDump) int {
	e := newEnumeration(d)
	for _, r := range d.Routes {
		e.route(r)
	}
	for i := range e.fars {
		e.peer(&e.fars[i])
	}
	return e.steps
}
