// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// String prints the namespace in the form that Parse reads.
func (f *Fake) String() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var b strings.Builder
	for _, l := range f.links {
		b.WriteString(linkText(l, f.tunnels[l.Name], f.ports[l.Name], f.strangers[l.Name]))
		for _, addr := range f.addrs[l.Name] {
			fmt.Fprintf(&b, "addr %s dev %s\n", addr, l.Name)
		}
	}
	for i, r := range f.routes {
		b.WriteString(routeText(r, f.paths[i]))
	}
	f.writeTables(&b)
	b.WriteString(f.wireGuardText())
	for _, port := range f.sockets {
		fmt.Fprintf(&b, "socket udp %d\n", port)
	}
	f.writeBridges(&b)
	b.WriteString(f.ruleText())
	for _, line := range f.ruleset {
		b.WriteString(line + "\n")
	}
	for _, name := range slices.Sorted(maps.Keys(f.sysctls)) {
		fmt.Fprintf(&b, "sysctl %s = %s\n", name, f.sysctls[name])
	}
	b.WriteString(f.counterText())
	b.WriteString(f.pings.String())
	f.writePaths(&b)
	for _, method := range slices.Sorted(maps.Keys(f.fails)) {
		fmt.Fprintf(&b, "fail %s = %s\n", method, f.fails[method])
	}
	return b.String()
}

func linkText(l Link, t TunnelLink, port PortSettings, stranger bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "link %s index %d", l.Name, l.Index)
	if l.Kind != "" {
		fmt.Fprintf(&b, " kind %s", l.Kind)
	}
	if l.MAC != nil {
		fmt.Fprintf(&b, " mac %s", l.MAC)
	}
	if l.Peer != 0 {
		fmt.Fprintf(&b, " peer %d", l.Peer)
	}
	if l.MTU != 0 {
		fmt.Fprintf(&b, " mtu %d", l.MTU)
	}
	if l.Up {
		b.WriteString(" up")
	}
	if port.Hairpin {
		b.WriteString(" hairpin")
	}
	if port.Isolated {
		b.WriteString(" isolated")
	}
	if stranger {
		b.WriteString(" stranger")
	}
	return b.String() + t.text() + "\n"
}

func routeText(r Route, p path) string {
	var b strings.Builder
	b.WriteString("route ")
	if p.kind != "" {
		b.WriteString(p.kind + " ")
	}
	if r.Dst.IsValid() {
		b.WriteString(r.Dst.String())
	} else {
		b.WriteString("default")
	}
	if r.Gateway.IsValid() {
		fmt.Fprintf(&b, " via %s", r.Gateway)
	}
	if r.Link != "" {
		fmt.Fprintf(&b, " dev %s", r.Link)
	}
	if r.Protocol != 0 {
		fmt.Fprintf(&b, " proto %d", r.Protocol)
	}
	return b.String() + p.text() + "\n"
}

// writeTables prints neighbours, forwarding entries and flows.
func (f *Fake) writeTables(b *strings.Builder) {
	names := make(map[int]string, len(f.links))
	for _, l := range f.links {
		names[l.Index] = l.Name
	}
	for _, n := range f.neighbours {
		fmt.Fprintf(b, "neigh %s dev %s mac %s\n", n.Addr, names[n.Link], n.MAC)
	}
	for _, e := range f.fdb {
		fmt.Fprintf(b, "fdb %s dev %s dst %s\n", e.MAC, names[e.Link], e.Dst)
	}
	for _, flow := range f.flows {
		fmt.Fprintf(b, "flow %d src %s dst %s", flow.Protocol, flow.Src, flow.Dst)
		if flow.Replied {
			b.WriteString(" replied")
		}
		b.WriteString("\n")
	}
}
