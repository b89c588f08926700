// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"bytes"
	"fmt"
	"net"
	"slices"
	"strings"
)

// A Link is what files match a network interface by.
type Link struct {
	Name   string
	Index  int
	Kind   string           // IFLA_INFO_KIND, such as "veth"; "" for lo and hardware
	MAC    net.HardwareAddr // nil where the kind has none
	NoUdev bool             // udevd does not run: devices have no DEVTYPE for Type= to match
}

// linkType returns what Type= matches: the device type that the kernel reports to udev
// (DEVTYPE), else the ARPHRD in lower case.
func (l Link) linkType() string {
	if !l.NoUdev && slices.Contains([]string{"bridge", "bond", "vlan", "vxlan", "geneve", "wireguard", "macsec", "gretap", "ip6gretap"}, l.Kind) {
		switch l.Kind {
		case "gretap", "ip6gretap":
			return "gretap"
		}
		return l.Kind
	}
	switch l.Kind {
	case "ipip":
		return "tunnel"
	case "ip6tnl":
		return "tunnel6"
	case "sit":
		return "sit"
	case "gre":
		return "ipgre"
	case "ip6gre":
		return "ip6gre"
	case "wireguard":
		return "none"
	}
	if l.Name == "lo" {
		return "loopback"
	}
	return "ether"
}

// driver returns what Driver= matches (ETHTOOL_GDRVINFO), "" where there is none.
func (l Link) driver() string {
	switch l.Kind {
	case "veth", "bridge", "vxlan", "geneve", "dummy", "wireguard", "macvlan", "ipvlan", "netkit":
		return l.Kind
	}
	return ""
}

// match reports whether the section [Match] holds for the link. nameKey is the key
// that the name of an interface is matched by. A section that is empty matches
// nothing.
func (s settings) match(link Link, nameKey string) (bool, error) {
	var unclear *assignment
	empty := true
	for i, a := range s.assignments {
		if a.section != "Match" || len(s.all("Match", a.key)) == 0 { // or reset by an empty assignment
			continue
		}
		empty = false
		switch a.key {
		case nameKey, "Name", "OriginalName", "Type", "Kind", "Driver", "Path", "MACAddress", "PermanentMACAddress", "WLANInterfaceType", "SSID", "BSSID":
		default: // Host=, Virtualization=, KernelCommandLine=, Property= and others are of the node
			unclear = &s.assignments[i]
		}
	}
	if empty {
		return false, nil
	}
	for _, m := range []struct {
		key, text string
	}{
		{nameKey, link.Name}, {"Type", link.linkType()}, {"Kind", link.Kind}, {"Driver", link.driver()},
		{"Path", ""}, {"WLANInterfaceType", ""}, {"SSID", ""}, // virtual links have none
	} {
		if !listMatches(s.all("Match", m.key), m.text) {
			return false, nil
		}
	}
	if !macMatches(s.all("Match", "MACAddress"), link.MAC) {
		return false, nil
	}
	if len(s.all("Match", "PermanentMACAddress")) > 0 || len(s.all("Match", "BSSID")) > 0 {
		return false, nil // virtual links have none
	}
	if unclear != nil {
		return false, fmt.Errorf("tell whether %s matches %s: %s= is not evaluated", unclear.Value, link.Name, unclear.key)
	}
	return true, nil
}

// listMatches follows net_condition_test_strv: a pattern that an exclamation mark
// stands before excludes; a list of exclusions only matches all else. A mark before
// the first word holds for all words of its assignment.
func listMatches(lists []Value, text string) bool {
	if len(lists) == 0 {
		return true
	}
	matched, positive := false, false
	for _, list := range lists {
		rest, invert := strings.CutPrefix(list.Text, "!")
		for _, word := range words(rest) {
			pattern, excludes := strings.CutPrefix(word, "!")
			excludes = excludes || invert
			positive = positive || !excludes
			if text == "" || !matches(pattern, text) {
				continue
			}
			if excludes {
				return false
			}
			matched = true
		}
	}
	return matched || !positive
}

// words splits as systemd does: quotes may hold a word together.
func words(text string) []string {
	fields := strings.Fields(text)
	for i, word := range fields {
		fields[i] = strings.Trim(word, `"'`)
	}
	return fields
}

func macMatches(lists []Value, mac net.HardwareAddr) bool {
	if len(lists) == 0 {
		return true
	}
	for _, list := range lists {
		for _, word := range words(list.Text) {
			if want, err := net.ParseMAC(word); err == nil && bytes.Equal(want, mac) {
				return true
			}
		}
	}
	return false
}
