// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
)

// set takes one attribute of a tunnel, and reports whether it is one.
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

// parseKind takes the first word off where it is a type of route, and the flags
// off wherever they stand.
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
