// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"cmp"
	"fmt"
	"net"
	"slices"

	"github.com/vishvananda/netlink"
)

// Link implements View.
func (l *Live) Link(name string) (Link, error) {
	link, err := settled(func() (netlink.Link, error) { return l.links.LinkByName(name) })
	if err != nil {
		return Link{}, fmt.Errorf("get link %s: %w", name, errnoMeaning(err))
	}
	return fromNetlink(link), nil
}

// Links implements View.
func (l *Live) Links() ([]Link, error) {
	found, err := settled(l.links.LinkList)
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	links := make([]Link, len(found))
	for i, link := range found {
		links[i] = fromNetlink(link)
	}
	slices.SortFunc(links, byIndex) // kernels before 6.9 give them by index modulo 256
	return links, nil
}

// SetUp implements View.
func (l *Live) SetUp(name string) error {
	link, err := l.links.LinkByName(name)
	if err == nil {
		err = l.links.LinkSetUp(link)
	}
	if err != nil {
		return fmt.Errorf("set link %s up: %w", name, errnoMeaning(err))
	}
	return nil
}

func byIndex(a, b Link) int { return cmp.Compare(a.Index, b.Index) }

func fromNetlink(link netlink.Link) Link {
	a := link.Attrs()
	kind := link.Type()
	if kind == "device" { // the library's word for a link without IFLA_INFO_KIND
		kind = ""
	}
	return Link{Name: a.Name, Index: a.Index, Kind: kind, Up: a.Flags&net.FlagUp != 0, MAC: a.HardwareAddr}
}
