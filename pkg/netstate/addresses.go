// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// A LinkAddr is an address of a link, with the length of its prefix.
type LinkAddr struct {
	Link string // "" for a link that vanished meanwhile
	Addr netip.Prefix
}

// AllAddrs implements View.
func (l *Live) AllAddrs() ([]LinkAddr, error) {
	links, err := gather(l, linkQuestion(""), func(b []byte) []TunnelLink { return []TunnelLink{parseTunnelLink(b)} })
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	names := make(map[int]string, len(links))
	for _, link := range links {
		names[link.Index] = link.Name
	}
	q := question{unix.RTM_GETADDR, unix.RTM_NEWADDR, []nl.NetlinkRequestData{nl.NewIfAddrmsg(unix.AF_UNSPEC)}}
	addrs, err := gather(l, q, func(b []byte) []LinkAddr {
		if len(b) < unix.SizeofIfAddrmsg {
			return nil
		}
		addr, err := parseAddr(b)
		if err != nil {
			return nil // an address of a family that is not IP
		}
		return []LinkAddr{{names[int(nl.DeserializeIfAddrmsg(b).Index)], addr}}
	})
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	return addrs, nil
}

// AllAddrs implements View.
func (f *Fake) AllAddrs() ([]LinkAddr, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.failure("AllAddrs"); err != nil {
		return nil, err
	}
	var all []LinkAddr
	for _, link := range f.links {
		for _, addr := range f.addrs[link.Name] {
			all = append(all, LinkAddr{link.Name, addr})
		}
	}
	return all, nil
}
