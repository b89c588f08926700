// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// A path has the properties of a route that Route has not.
type path struct {
	kind                           string // "" for unicast; blackhole, unreachable, prohibit or throw
	table                          int
	onlink, dead, multipath, encap bool
}

// mainTable is RT_TABLE_MAIN of rtnetlink(7).
const mainTable = 254

// TunnelDump implements View.
func (f *Fake) TunnelDump(kinds ...string) (TunnelDump, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.failure("TunnelDump"); err != nil {
		return TunnelDump{}, err
	}
	var d TunnelDump
	for _, l := range f.links {
		if !carriesTunnels(l.Kind) || len(kinds) > 0 && !slices.Contains(kinds, l.Kind) {
			continue
		}
		t := f.tunnels[l.Name]
		t.Name, t.Index, t.Kind, t.Up, t.Addrs = l.Name, l.Index, l.Kind, l.Up, slices.Clone(f.addrs[l.Name])
		t.MAC, t.MTU = macOf(l.MAC), l.MTU
		d.Links = append(d.Links, t)
	}
	of := func(index int) bool {
		return slices.ContainsFunc(d.Links, func(t TunnelLink) bool { return t.Index == index })
	}
	d.Neighbours = slices.DeleteFunc(slices.Clone(f.neighbours), func(n Neighbour) bool { return !of(n.Link) })
	d.FDB = slices.DeleteFunc(slices.Clone(f.fdb), func(e FDBEntry) bool { return !of(e.Link) })
	for i, r := range f.routes {
		f.dumpRoute(&d, r, f.paths[i], of)
	}
	f.dumpWireGuard(&d, slices.Contains(kinds, "wireguard"))
	return d, nil
}

func (f *Fake) dumpRoute(d *TunnelDump, r Route, p path, of func(index int) bool) {
	if p.kind != "" {
		if p.kind != "throw" && r.Dst.IsValid() {
			d.Own = append(d.Own, r.Dst)
		}
		return
	}
	link, err := f.find(r.Link)
	if err != nil || !of(link.Index) {
		return
	}
	dst := r.Dst
	if !dst.IsValid() {
		dst = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	}
	d.Routes = append(d.Routes, TunnelRoute{
		Dst: dst, Gateway: r.Gateway, Link: link.Index, Table: p.table, Protocol: r.Protocol,
		Onlink: p.onlink, Dead: p.dead, Multipath: p.multipath, Encap: p.encap,
	})
}

// text returns the flags and the table in the form of parseKind and parseRoute.
func (p path) text() string {
	var b strings.Builder
	if p.table != mainTable {
		fmt.Fprintf(&b, " table %d", p.table)
	}
	for _, flag := range []struct {
		set  bool
		name string
	}{{p.onlink, " onlink"}, {p.dead, " dead"}, {p.multipath, " multipath"}, {p.encap, " encap"}} {
		if flag.set {
			b.WriteString(flag.name)
		}
	}
	return b.String()
}

// text returns the attributes in the form of set.
func (t TunnelLink) text() string {
	var b strings.Builder
	if t.Local.IsValid() {
		fmt.Fprintf(&b, " local %s", t.Local)
	}
	if t.Remote.IsValid() {
		fmt.Fprintf(&b, " remote %s", t.Remote)
	}
	if t.VNI != 0 {
		fmt.Fprintf(&b, " vni %d", t.VNI)
	}
	if t.Port != 0 {
		fmt.Fprintf(&b, " port %d", t.Port)
	}
	if t.Master != 0 {
		fmt.Fprintf(&b, " master %d", t.Master)
	}
	if t.External {
		b.WriteString(" external")
	}
	if t.Group {
		b.WriteString(" group")
	}
	if t.Unopened {
		b.WriteString(" unopened")
	}
	return b.String()
}

// set sets one attribute of a tunnel, and reports whether the key is one.
func (t *TunnelLink) set(key, value string) (known bool, err error) {
	var n uint64
	switch key {
	case "local":
		t.Local, err = netip.ParseAddr(value)
	case "remote":
		t.Remote, err = netip.ParseAddr(value)
	case "vni":
		n, err = strconv.ParseUint(value, 10, 24)
		t.VNI = uint32(n)
	case "port":
		n, err = strconv.ParseUint(value, 10, 16)
		t.Port = uint16(n)
	case "master":
		t.Master, err = strconv.Atoi(value)
	default:
		return false, nil
	}
	return true, err
}

// parseNeighbour reads "IP dev NAME mac MAC".
func (f *Fake) parseNeighbour(words []string) error {
	if len(words) != 5 || words[1] != "dev" || words[3] != "mac" {
		return fmt.Errorf("want IP dev NAME mac MAC")
	}
	addr, err := netip.ParseAddr(words[0])
	if err != nil {
		return err
	}
	link, err := f.find(words[2])
	if err != nil {
		return err
	}
	mac, err := parseMAC(words[4])
	f.neighbours = append(f.neighbours, Neighbour{Link: link.Index, Addr: addr, MAC: mac})
	return err
}

// parseFDB reads "MAC dev NAME dst IP".
func (f *Fake) parseFDB(words []string) error {
	if len(words) != 5 || words[1] != "dev" || words[3] != "dst" {
		return fmt.Errorf("want MAC dev NAME dst IP")
	}
	mac, err := parseMAC(words[0])
	if err != nil {
		return err
	}
	link, err := f.find(words[2])
	if err != nil {
		return err
	}
	dst, err := netip.ParseAddr(words[4])
	f.fdb = append(f.fdb, FDBEntry{Link: link.Index, MAC: mac, Dst: dst})
	return err
}

func parseMAC(text string) (mac MAC, err error) {
	parsed, err := net.ParseMAC(text)
	if err != nil {
		return mac, err
	}
	if copy(mac[:], parsed) != len(parsed) {
		return mac, fmt.Errorf("%s is not of six bytes", text)
	}
	return mac, nil
}

// parseKind removes the first word if it is a type of route, and the flags wherever they
// are.
func (p *path) parseKind(words []string) []string {
	if len(words) > 0 && slices.Contains([]string{"blackhole", "unreachable", "prohibit", "throw"}, words[0]) {
		p.kind, words = words[0], words[1:]
	}
	return slices.DeleteFunc(slices.Clone(words), func(word string) bool {
		switch word {
		case "onlink":
			p.onlink = true
		case "dead":
			p.dead = true
		case "multipath":
			p.multipath = true
		case "encap":
			p.encap = true
		default:
			return false
		}
		return true
	})
}
