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

// Parse makes a Fake from text, one statement a line; empty lines and lines
// that begin with # are left out:
//
//	link NAME index N [kind KIND] [mac MAC] [peer INDEX] [mtu N] [up] [hairpin] [isolated] [stranger] [TUNNEL...]
//	addr PREFIX dev NAME
//	route [TYPE] PREFIX|default [via ADDR] [dev NAME] [proto N] [table N] [FLAG...]
//	neigh ADDR dev NAME mac MAC
//	fdb MAC dev NAME dst ADDR
//	wireguard unread REASON             (of all devices; or, of one, as parseWireGuard has it:)
//	wireguard NAME mark N
//	wireguard NAME peer ADDR:PORT|none [allowed PREFIX,...] [handshake AGE] [sent N] [received N] [sends N] [receives N] [shakes]
//	socket udp PORT                     (a socket is bound to it)
//	flow PROTOCOL src ADDR dst ADDR [replied]
//	bridge NAME [SETTING...]
//	chain nft|legacy ip|ip6 TABLE NAME
//	rule PRIORITY [from PREFIX] [to PREFIX] [lookup TABLE] [proto N] [ACTION] [selective]
//	rule6 likewise, for IPv6; "rule none" for a family that has no rule; the
//	                        kernel's own where a family has no line
//	nft|iptables|ip6tables|iptables-legacy|ip6tables-legacy LINE
//	                        (as Ruleset.Text has it, "iptables *filter")
//	counter NAME = VALUE... (at the first reading, at the second, and so on)
//	sysctl PATH = VALUE
//	offload NAME driver DRIVER [checksums]
//	answers ADDR [after N] [as ADDR] [upto N]    (a ping; from the Nth request on; of N bytes at most)
//	unreachable ADDR by ADDR            (what a ping gets for an answer)
//	refuses ADDR by ADDR to ADDR port N (likewise: "port unreachable", for its outer packet, of a tunnel)
//	echoes ADDR [tcp STATE] [udp STATE] (the echo service there: answers, refuses or is silent)
//	hears ADDR mac MAC                  (what the node at that outer address says of its tunnel device)
//	fail METHOD = ERROR    (that method of View answers with the error)
//
// TUNNEL is local ADDR, remote ADDR, vni N, port N, master INDEX, external, group or
// unopened; TYPE is blackhole, unreachable, prohibit or throw, FLAG is onlink, dead, multipath or
// encap, all as TunnelDump has them; SETTING is
// nf_call_iptables, nf_call_ip6tables or vlan_filtering. Each next hop of a route has a line.
func Parse(text string) (*Fake, error) {
	f := &Fake{sysctls: map[string]string{}, fails: map[string]string{}, tunnels: map[string]TunnelLink{},
		bridges: map[string]Bridge{}, ports: map[string]PortSettings{}, strangers: map[string]bool{}}
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if err := f.statement(line); err != nil {
			return nil, fmt.Errorf("line %d: %q: %w", i+1, line, err)
		}
	}
	return f, nil
}

func (f *Fake) statement(line string) error {
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "link":
		return f.parseLink(strings.Fields(rest))
	case "addr":
		return f.parseAddr(strings.Fields(rest))
	case "route":
		return f.parseRoute(strings.Fields(rest))
	case "neigh":
		return f.parseNeighbour(strings.Fields(rest))
	case "fdb":
		return f.parseFDB(strings.Fields(rest))
	case "wireguard":
		return f.parseWireGuard(strings.Fields(rest))
	case "socket":
		return f.parseSocket(strings.Fields(rest))
	case "flow":
		return f.parseFlow(strings.Fields(rest))
	case "bridge":
		return f.parseBridge(strings.Fields(rest))
	case "chain":
		return f.parseChain(strings.Fields(rest))
	case "rule", "rule6":
		return f.parseRule(word == "rule6", strings.Fields(rest))
	case "nft", "iptables", "ip6tables", "iptables-legacy", "ip6tables-legacy":
		f.ruleset = append(f.ruleset, line)
		return nil
	case "counter":
		return f.parseCounter(rest)
	case "sysctl":
		return assign(f.sysctls, rest)
	case "offload":
		return f.parseOffload(strings.Fields(rest))
	case "echoes":
		return f.parseEcho(strings.Fields(rest))
	case "hears":
		return f.parseHears(strings.Fields(rest))
	case "answers", "unreachable", "refuses":
		return f.pings.parse(word, strings.Fields(rest))
	case "fail":
		return f.parseFail(rest)
	}
	return fmt.Errorf("want link, addr, route, neigh, fdb, wireguard, socket, flow, bridge, chain, rule, rule6, nft, iptables, counter, sysctl, offload, answers, unreachable, refuses, echoes, hears or fail")
}

// assign reads "KEY = VALUE".
func assign(to map[string]string, text string) error {
	key, value, ok := strings.Cut(text, "=")
	key, value = strings.TrimSpace(key), strings.TrimSpace(value)
	if !ok || key == "" {
		return fmt.Errorf("want KEY = VALUE")
	}
	to[key] = value
	return nil
}

// parseFail refuses a method that View has not: its error would never come.
func (f *Fake) parseFail(text string) error {
	method, _, _ := strings.Cut(text, "=")
	switch method = strings.TrimSpace(method); method {
	case "", "Link", "Links", "Addrs", "Routes", "Lookup", "TunnelDump", "Flows", "BoundUDP", "Sysctl", "ListenICMP", "SetUp", "AddAddr", "SetSysctl",
		"LinkByIndex", "MasterOf", "IsPeerIn", "Bridge", "AddPort", "SetBridgeNetfilter", "NFTChain", "LegacyChain", "AllAddrs", "Rules", "Counter", "Ruleset", "LinkCounters", "Offload", "Dial", "AskMAC":
		return assign(f.fails, text)
	}
	return fmt.Errorf("%s is no method of View", method)
}

func (f *Fake) parseLink(words []string) (err error) {
	if len(words) == 0 {
		return fmt.Errorf("want a name")
	}
	link := Link{Name: words[0]}
	if _, err := f.find(link.Name); err == nil {
		return fmt.Errorf("link %s is there already", link.Name)
	}
	var tunnel TunnelLink
	var port PortSettings
	flags := slices.DeleteFunc(slices.Clone(words[1:]), func(word string) bool {
		link.Up = link.Up || word == "up"
		tunnel.External = tunnel.External || word == "external"
		tunnel.Group = tunnel.Group || word == "group"
		tunnel.Unopened = tunnel.Unopened || word == "unopened"
		port.Hairpin = port.Hairpin || word == "hairpin"
		if word == "stranger" { // its peer is in another namespace than the pod's
			f.strangers[link.Name] = true
		}
		port.Isolated = port.Isolated || word == "isolated"
		return slices.Contains([]string{"up", "external", "group", "unopened", "hairpin", "isolated", "stranger"}, word)
	})
	f.ports[link.Name] = port
	for key, value := range pairs(flags, &err) {
		if known, wrong := tunnel.set(key, value); known {
			err = wrong
			continue
		}
		switch key {
		case "index":
			link.Index, err = strconv.Atoi(value)
		case "peer":
			link.Peer, err = strconv.Atoi(value)
		case "mtu":
			link.MTU, err = strconv.Atoi(value)
		case "kind":
			link.Kind = value
		case "mac":
			link.MAC, err = net.ParseMAC(value)
		default:
			err = fmt.Errorf("%s is no attribute of a link", key)
		}
	}
	f.links = append(f.links, link)
	f.tunnels[link.Name] = tunnel
	return err
}

func (f *Fake) parseAddr(words []string) error {
	if len(words) != 3 || words[1] != "dev" {
		return fmt.Errorf("want PREFIX dev NAME")
	}
	addr, err := netip.ParsePrefix(words[0])
	if err == nil {
		_, err = f.find(words[2])
	}
	if err == nil {
		f.addAddr(words[2], addr)
	}
	return err
}

func (f *Fake) parseRoute(words []string) (err error) {
	p := path{table: mainTable}
	words = p.parseKind(words)
	if len(words) == 0 {
		return fmt.Errorf("want a destination")
	}
	var r Route
	if words[0] != "default" {
		if r.Dst, err = netip.ParsePrefix(words[0]); err != nil {
			return err
		}
	}
	for key, value := range pairs(words[1:], &err) {
		switch key {
		case "via":
			r.Gateway, err = netip.ParseAddr(value)
		case "dev":
			r.Link = value
		case "proto":
			r.Protocol, err = strconv.Atoi(value)
		case "table":
			p.table, err = strconv.Atoi(value)
		default:
			err = fmt.Errorf("%s is no attribute of a route", key)
		}
	}
	f.routes, f.paths = append(f.routes, r), append(f.paths, p)
	return err
}

// pairs walks over "KEY VALUE KEY VALUE" until *err is set, which it does
// itself where a value is missing.
func pairs(words []string, err *error) func(func(key, value string) bool) {
	return func(yield func(key, value string) bool) {
		for ; len(words) > 0 && *err == nil; words = words[2:] {
			if len(words) == 1 {
				*err = fmt.Errorf("%s has no value", words[0])
				return
			}
			if !yield(words[0], words[1]) {
				return
			}
		}
	}
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
