// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Addrs implements View. It asks the kernel for the addresses of one link: a node
// with a thousand host veths has thousands of addresses.
func (l *Live) Addrs(name string) ([]netip.Prefix, error) {
	index, err := l.index(name)
	var addrs []netip.Prefix
	if err == nil {
		addrs, err = l.dumpAddrs(index)
	}
	if err != nil {
		return nil, fmt.Errorf("list addresses of %s: %w", name, errnoMeaning(err))
	}
	return addrs, nil
}

func (l *Live) dumpAddrs(index int) ([]netip.Prefix, error) {
	filter := 0
	if l.strict {
		filter = index
	}
	var unparsed error
	addrs, err := gather(l, addrQuestion(filter), func(b []byte) []netip.Prefix {
		of, addr, err := parseAddr(b)
		switch {
		case err != nil:
			unparsed = err
		case of == index:
			return []netip.Prefix{addr}
		}
		return nil
	})
	return addrs, cmp.Or(err, unparsed)
}

// addrQuestion asks for the addresses of one link, or of all if the index is 0.
func addrQuestion(index int) question {
	msg := nl.NewIfAddrmsg(unix.AF_UNSPEC)
	msg.Index = uint32(index)
	return question{unix.RTM_GETADDR, unix.RTM_NEWADDR, []nl.NetlinkRequestData{msg}}
}

// parseAddr reads one RTM_NEWADDR: the index of the link and its address. IFA_LOCAL
// is the link's own address; where it is missing (IPv6 without a peer) IFA_ADDRESS is.
func parseAddr(b []byte) (index int, prefix netip.Prefix, err error) {
	if len(b) < unix.SizeofIfAddrmsg {
		return 0, prefix, fmt.Errorf("parse address: %w", errCutShort)
	}
	var addr netip.Addr
	for kind, value := range attributes(b[unix.SizeofIfAddrmsg:]) {
		if kind == unix.IFA_LOCAL || kind == unix.IFA_ADDRESS && !addr.IsValid() {
			addr, _ = netip.AddrFromSlice(value)
		}
	}
	if !addr.IsValid() {
		return 0, prefix, errors.New("parse address: the kernel named none")
	}
	header := nl.DeserializeIfAddrmsg(b)
	return int(header.Index), netip.PrefixFrom(addr, int(header.Prefixlen)), nil
}

// AddAddr implements View. An address of the loopback net has the scope of the host,
// as those that the kernel assigns to lo.
func (l *Live) AddAddr(name string, addr netip.Prefix) error {
	m, err := l.getLink(name)
	if err == nil {
		msg := nl.NewIfAddrmsg(unix.AF_INET)
		if addr.Addr().Is6() {
			msg.Family = unix.AF_INET6
		}
		if addr.Addr().IsLoopback() {
			msg.Scope = unix.RT_SCOPE_HOST
		}
		msg.Prefixlen, msg.Index = uint8(addr.Bits()), uint32(m.Index)
		bytes := addr.Addr().AsSlice()
		err = l.change(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL, msg,
			nl.NewRtAttr(unix.IFA_LOCAL, bytes), nl.NewRtAttr(unix.IFA_ADDRESS, bytes))
	}
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("add address %s to %s: %w", addr, name, errnoMeaning(err))
	}
	return nil
}

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
