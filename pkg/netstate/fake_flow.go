// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Flows implements View.
func (f *Fake) Flows(protocol uint8) ([]Flow, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.failure("Flows"); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(f.flows), func(flow Flow) bool { return flow.Protocol != protocol }), nil
}

// parseFlow reads "PROTOCOL src ADDR dst ADDR [replied]".
func (f *Fake) parseFlow(words []string) (err error) {
	if len(words) == 0 {
		return fmt.Errorf("want a protocol")
	}
	protocol, err := strconv.ParseUint(words[0], 10, 8)
	if err != nil {
		return err
	}
	flow := Flow{Protocol: uint8(protocol)}
	rest := slices.DeleteFunc(slices.Clone(words[1:]), func(word string) bool {
		flow.Replied = flow.Replied || word == "replied"
		return word == "replied"
	})
	for key, value := range pairs(rest, &err) {
		switch key {
		case "src":
			flow.Src, err = netip.ParseAddr(value)
		case "dst":
			flow.Dst, err = netip.ParseAddr(value)
		default:
			err = fmt.Errorf("%s is no attribute of a flow", key)
		}
	}
	f.flows = append(f.flows, flow)
	return err
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
