// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"fmt"
	"net/netip"
)

// A LinkAddr is an address of a link, with the length of its prefix.
type LinkAddr struct {
	Link string // "" for a link that vanished meanwhile
	Addr netip.Prefix
}

// AllAddrs implements View.
func (l *Live) AllAddrs() ([]LinkAddr, error) {
	links, err := l.Links()
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	names := make(map[int]string, len(links))
	for _, link := range links {
		names[link.Index] = link.Name
	}
	addrs, err := gather(l, addrQuestion(0), func(b []byte) []LinkAddr {
		index, addr, err := parseAddr(b)
		if err != nil {
			return nil // an address of a family that is not IP
		}
		return []LinkAddr{{names[index], addr}}
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
