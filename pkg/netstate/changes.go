// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// A ChangeKind says what changed. The zero ChangeKind is ChangesLost.
type ChangeKind uint8

// The kinds of changes.
const (
	ChangesLost    ChangeKind = iota // changes came faster than they were read: look at everything
	LinkChanged                      // a link was created, changed or deleted
	AddrChanged                      // an address of the link was added or deleted
	RuleChanged                      // a policy routing rule was added or deleted
	ConfChanged                      // a sysctl below net/ipv4/conf or net/ipv6/conf
	RulesetChanged                   // some program committed a change of nftables
)

// A Change is one change of a namespace, as far as the kernel reports it. Routes are not
// among them: WatchRoutes reports those.
type Change struct {
	Kind ChangeKind
	Link Link // LinkChanged, without MAC and Peer; AddrChanged: the Index only
	Gone bool // of a link, an address or a rule: it was deleted
	// Conf is the index of the interface whose sysctl changed, or ConfAll or ConfDefault.
	// Of IPv6 there are only the latter two.
	Conf       int
	IPv6       bool // of an address, a rule or a sysctl
	Forwarding int  // ConfChanged: the new value; -1 if another sysctl changed. A new interface is no change
}

// What Change.Conf is beside the index of an interface (linux/netconf.h).
const (
	ConfAll     = -1
	ConfDefault = -2
)

// How long WatchChanges collects changes after it has reported some. A change that follows
// none is reported at once. When pods come and go, a wake-up costs the reader more than the
// changes that it reads, so that while each pause brings more of them, it becomes longer.
const (
	collectFor    = 16 * time.Millisecond
	collectUrgent = 2 * time.Millisecond
	stormFactor   = 4  // a pause is at most so many times as long
	changeBatches = 64 // in the channel
)

// nlgrpNFTables is NFNLGRP_NFTABLES of linux/netfilter/nfnetlink.h.
const nlgrpNFTables = 7

// WatchChanges reports changes of links, addresses, rules and interface sysctls until ctx
// ends, or until the subscription breaks, and then closes the channel. It needs no
// capability. If changes get lost, in the kernel (ENOBUFS) or because the channel is not
// read, it sends one of kind ChangesLost in their place. A batch is never empty.
//
// Changes of lo, and of the sysctls of all interfaces, have a socket of their own and do
// not wait for those of others.
func (l *Live) WatchChanges(ctx context.Context) (<-chan []Change, error) {
	return l.watchChanges(ctx, watchBuffer)
}

func (l *Live) watchChanges(ctx context.Context, buffer int) (<-chan []Change, error) {
	changes, err := l.watchSockets(ctx, parseChange,
		changeSocket{
			protocol: unix.NETLINK_ROUTE, buffer: buffer, collect: collectUrgent, filter: urgentFilter(),
			groups: []int{unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR, unix.RTNLGRP_IPV4_NETCONF, unix.RTNLGRP_IPV6_NETCONF},
		},
		changeSocket{
			protocol: unix.NETLINK_ROUTE, buffer: buffer, collect: collectFor, filter: otherFilter(),
			groups: []int{unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR, unix.RTNLGRP_IPV4_RULE, unix.RTNLGRP_IPV6_RULE, unix.RTNLGRP_IPV4_NETCONF},
		})
	if err != nil {
		return nil, fmt.Errorf("subscribe to changes of the network: %w", err)
	}
	return changes, nil
}

// WatchRuleset reports each committed change of nftables (RulesetChanged), and nothing
// about what changed. iptables-legacy is not seen. It needs CAP_NET_ADMIN. The channel is
// that of WatchChanges.
func (l *Live) WatchRuleset(ctx context.Context) (<-chan []Change, error) {
	parse := func(kind uint16, _ []byte) (Change, bool) { return Change{Kind: RulesetChanged}, kind == nftNewGen }
	changes, err := l.watchSockets(ctx, parse, changeSocket{
		protocol: unix.NETLINK_NETFILTER, buffer: 256 << 10, collect: collectFor, filter: rulesetFilter(), groups: []int{nlgrpNFTables},
	})
	if err != nil {
		return nil, fmt.Errorf("subscribe to changes of nftables: %w", err)
	}
	return changes, nil
}
