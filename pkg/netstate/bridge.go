// SPDX-License-Identifier: Apache-2.0

package netstate

// Bridging is the part of a View that joins pods to a node: the two ends of a veth,
// and the bridge that the node's end is a port of. Errors are those of View.
type Bridging interface {
	// LinkByIndex returns one link by its index.
	LinkByIndex(index int) (Link, error)
	// Bridge returns the settings of a bridge. The error wraps fs.ErrNotExist where
	// there is no link of that name, or it is no Linux bridge.
	Bridge(name string) (Bridge, error)

	// AddPort makes a link a port of a bridge, whatever it was a port of before. A
	// port that leaves a bridge loses its settings; hairpin restores one of them.
	AddPort(bridge, link string, hairpin bool) error
	// SetBridgeNetfilter sets nf_call_iptables, or nf_call_ip6tables, of one bridge to
	// 1. The sysctls net.bridge.bridge-nf-call-* stay as they are.
	SetBridgeNetfilter(bridge string, six bool) error
}

// A Bridge is the settings of a Linux bridge.
type Bridge struct {
	// NFCallIPTables and NFCallIP6Tables report whether the packets that the bridge
	// forwards pass through iptables and nftables for this bridge alone (IFLA_BR_NF_CALL_IPTABLES,
	// IFLA_BR_NF_CALL_IP6TABLES). The sysctl net.bridge.bridge-nf-call-iptables does
	// the same for all bridges of the namespace; one of the two is enough
	// (br_netfilter_hooks.c).
	NFCallIPTables, NFCallIP6Tables bool
	// VLANFiltering: each port belongs to some VLANs, which it loses when it leaves.
	VLANFiltering bool
}

// NFCall returns NFCallIPTables or NFCallIP6Tables.
func (b Bridge) NFCall(six bool) bool {
	if six {
		return b.NFCallIP6Tables
	}
	return b.NFCallIPTables
}
