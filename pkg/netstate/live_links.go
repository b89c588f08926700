// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"cmp"
	"fmt"
	"io/fs"
	"net"
	"slices"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Link implements View.
func (l *Live) Link(name string) (Link, error) {
	link, err := l.getLink(name)
	if err != nil {
		return Link{}, fmt.Errorf("get link %s: %w", name, errnoMeaning(err))
	}
	return fromNetlink(link), nil
}

// getLink asks for one link by name. A name that is longer than a link's would be
// taken for an alternative name, of which a sandbox has none.
func (l *Live) getLink(name string) (netlink.Link, error) {
	if name == "" || len(name) >= unix.IFNAMSIZ {
		return nil, fs.ErrNotExist
	}
	req := l.request(unix.RTM_GETLINK, unix.NLM_F_ACK)
	req.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC))
	req.AddData(nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name)))
	answers, err := req.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWLINK)
	if err != nil {
		return nil, err
	}
	if len(answers) != 1 {
		return nil, fmt.Errorf("the kernel gave %d links", len(answers))
	}
	return netlink.LinkDeserialize(nil, answers[0])
}

// Links implements View.
func (l *Live) Links() ([]Link, error) {
	h, err := l.handle()
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	found, err := settled(h.LinkList)
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
	h, err := l.handle()
	if err == nil {
		var link netlink.Link
		if link, err = h.LinkByName(name); err == nil {
			err = h.LinkSetUp(link)
		}
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
	l := Link{Name: a.Name, Index: a.Index, Kind: kind, Up: a.Flags&net.FlagUp != 0, MAC: a.HardwareAddr, Master: a.MasterIndex}
	if kind == "veth" || kind == "netkit" {
		l.Peer = a.ParentIndex
	}
	return l
}
