// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// A path is what a route has beside what Route says.
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

// text gives the flags and the table as parseKind and parseRoute read them.
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

// text gives the attributes as set reads them.
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
	return b.String()
}
