// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"fmt"
	"runtime"
)

// A Peer is where the other end of a veth is. The zero Peer is an end in the
// same namespace.
type Peer struct {
	Away  bool // in another namespace (IFLA_LINK_NETNSID is set)
	NetID int  // Away: the number that this namespace has for the other one
}

// VethPeer reports where the other end of a veth is. A veth exists only while
// both namespaces of its ends do, so an end that is away is in a namespace that
// lives. The error wraps fs.ErrNotExist where there is no such link.
func (l *Live) VethPeer(name string) (Peer, error) {
	link, err := l.getLink(name)
	if err != nil {
		return Peer{}, fmt.Errorf("get peer of %s: %w", name, errnoMeaning(err))
	}
	if link.Type() != "veth" {
		return Peer{}, fmt.Errorf("get peer of %s: its kind is %s", name, link.Type())
	}
	id := link.Attrs().NetNsID
	return Peer{Away: id >= 0, NetID: max(id, 0)}, nil
}

// NetID returns the number that this namespace has for another one, as in
// Peer.NetID, and -1 where it has none (RTM_GETNSID, Linux 4.0).
func (l *Live) NetID(of *Netns) (int, error) {
	if of.file == nil {
		return -1, fmt.Errorf("get id of %s: no namespace is open", of.Path)
	}
	h, err := l.handle()
	if err != nil {
		return -1, fmt.Errorf("get id of %s: %w", of.Path, err)
	}
	defer runtime.KeepAlive(of.file)
	id, err := h.GetNetNsIdByFd(int(of.file.Fd()))
	if err != nil {
		return -1, fmt.Errorf("get id of %s: %w", of.Path, err)
	}
	return id, nil
}
