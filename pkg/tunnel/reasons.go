// SPDX-License-Identifier: Apache-2.0

package tunnel

import (
	"fmt"
	"strings"
)

// notEnumerable says why the far ends of a device cannot be told from the
// kernel's tables, or not wholly; "" where they can, or where it is not in use.
func (e *enumeration) notEnumerable(d *device) string {
	master := e.devices[d.Master]
	switch {
	case strings.HasPrefix(d.Name, "cilium_") && d.routes == 0:
		return cilium(d)
	case !d.Up:
		return ""
	case d.External && master != nil && master.Kind == "openvswitch":
		return "it is a port of Open vSwitch, whose flows choose the outer address of each packet (OVN-Kubernetes, Antrea); the kernel's tables do not have them"
	case d.External:
		return "each packet brings its outer address along (external, collect metadata), from a BPF program or a flow; the kernel's tables do not have them"
	case d.Kind == "openvswitch" && d.peers > 0:
		return "the gateways of its routes answer pings, but the outer addresses are in the flows of Open vSwitch (Antrea)"
	case d.Kind == "wireguard" && d.routes > 0:
		return fmt.Sprintf("the outer addresses are WireGuard's own: wg show %s endpoints", d.Name)
	case d.encap > 0:
		return fmt.Sprintf("the outer addresses are in its routes, beside the gateway (%s with encap)", count(d.encap, "route"))
	case d.mute > 0:
		return fmt.Sprintf("it has no remote address, and %s over it without a gateway", count(d.mute, "route"))
	}
	return ""
}

// cilium explains the devices of Cilium, which has its peers in BPF maps. As it
// loads the ipip module, it renames the tunl0 that appears (cilium_tunl), which
// then no other network finds (squat/kilo#8).
func cilium(d *device) string {
	if !d.External {
		return "it is the tunl0 of the kernel, which Cilium renamed; nothing leads over it, and Kilo or another user of tunl0 will not find it"
	}
	return "Cilium keeps its peers in a BPF map: ask cilium-health status"
}

// needed says why a device that is down is needed; "" where it is up, or where
// nothing needs it, as the tunl0 that the kernel makes in each namespace. The
// kernel drops IPv4 routes over a device that goes down, so that what is left
// of its configuration must tell.
func needed(d *device) string {
	switch {
	case d.Up:
		return ""
	case d.routes > 0:
		return "it still has " + count(d.routes, "route")
	case d.Kind == "openvswitch": // br-int is always down
		return ""
	case d.fdb > 0:
		return fmt.Sprintf("it has the outer addresses of other nodes (%s in its FDB), and the kernel drops the routes of a device that goes down", count(d.fdb, "entry"))
	case len(d.Addrs) > 0:
		return fmt.Sprintf("it has the address %s, and the kernel drops the routes of a device that goes down", d.Addrs[0].Addr())
	}
	return ""
}

// count gives "1 route", "2 routes", "2 entries".
func count(n int, what string) string {
	switch {
	case n == 1:
	case strings.HasSuffix(what, "y"):
		what = strings.TrimSuffix(what, "y") + "ies"
	default:
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
