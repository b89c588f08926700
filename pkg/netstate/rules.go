// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Tables that the kernel has from the start, by their numbers (RT_TABLE_* of
// rtnetlink(7)).
const (
	TableDefault = 253
	TableMain    = 254
	TableLocal   = 255
)

// A Rule is an entry of the routing policy database, as ip rule shows it.
type Rule struct {
	IPv6     bool
	Priority int
	Src, Dst netip.Prefix // the zero Prefix for any address
	// Action is lookup, goto, nop, blackhole, unreachable or prohibit; "" for one
	// that rtnetlink(7) does not name.
	Action string
	Table  int // of lookup; 0 where a device names the table (l3mdev, as VRFs have it)
	// Selective: the rule has other conditions than addresses, such as a mark, an
	// interface or a port, or leaves some routes of its table out.
	Selective bool
	// Protocol is who added the rule, as that of a route (FRA_PROTOCOL, Linux 4.17): 2
	// for the kernel; 0 if unspecified.
	Protocol int
}

// ForAll reports whether the rule holds for every packet.
func (r Rule) ForAll() bool { return !r.Src.IsValid() && !r.Dst.IsValid() && !r.Selective }

// settled returns the rule with the protocol that rules of a new namespace have.
func (r Rule) settled() Rule {
	if r.isInitial() {
		r.Protocol = unix.RTPROT_KERNEL
	}
	return r
}

// isInitial reports whether the rule is one that a new namespace has.
func (r Rule) isInitial() bool {
	return r.ForAll() && (r.Priority == 0 && r.Table == TableLocal || r.Priority == 32766 && r.Table == TableMain || r.Priority == 32767 && r.Table == TableDefault)
}

// String returns the rule in the form of Parse: "rule 512 to 10.0.1.7/32 lookup 254".
func (r Rule) String() string {
	var b strings.Builder
	b.WriteString("rule")
	if r.IPv6 {
		b.WriteString("6")
	}
	fmt.Fprintf(&b, " %d", r.Priority)
	if r.Src.IsValid() {
		fmt.Fprintf(&b, " from %s", r.Src)
	}
	if r.Dst.IsValid() {
		fmt.Fprintf(&b, " to %s", r.Dst)
	}
	if r.Action == "lookup" {
		fmt.Fprintf(&b, " lookup %d", r.Table)
	} else if r.Action != "" {
		b.WriteString(" " + r.Action)
	}
	if r.Protocol != 0 && !r.isInitial() {
		fmt.Fprintf(&b, " proto %d", r.Protocol)
	}
	if r.Selective {
		b.WriteString(" selective")
	}
	return b.String()
}

// Rules implements View, with one dump for both families.
func (l *Live) Rules() ([]Rule, error) {
	// The header of a rule, struct fib_rule_hdr, is as long as that of a route. A
	// strict dump refuses one in which more than the family is set.
	q := question{unix.RTM_GETRULE, unix.RTM_NEWRULE, []nl.NetlinkRequestData{&nl.RtMsg{}}}
	rules, err := gather(l, q, parseRule)
	if err != nil {
		return nil, fmt.Errorf("list rules: %w", err)
	}
	return rules, nil
}

// ruleActions are FR_ACT_* of linux/fib_rules.h, from 1.
func ruleActions() []string {
	return []string{"lookup", "goto", "nop", "", "", "blackhole", "unreachable", "prohibit"}
}

// parseRule leaves out the rules of multicast routing.
func parseRule(b []byte) []Rule {
	if len(b) < unix.SizeofRtMsg || b[0] != unix.AF_INET && b[0] != unix.AF_INET6 {
		return nil
	}
	const invert = 0x2 // FIB_RULE_INVERT
	r := Rule{IPv6: b[0] == unix.AF_INET6, Table: int(b[4])}
	r.Selective = b[3] != 0 || binary.NativeEndian.Uint32(b[8:])&invert != 0
	if action := int(b[7]); action > 0 && action <= len(ruleActions()) {
		r.Action = ruleActions()[action-1]
	}
	for kind, value := range attributes(b[unix.SizeofRtMsg:]) {
		switch kind {
		case unix.FRA_SRC:
			r.Src = rulePrefix(value, b[2])
		case unix.FRA_DST:
			r.Dst = rulePrefix(value, b[1])
		case unix.FRA_PRIORITY:
			r.Priority = int(number32(value))
		case unix.FRA_TABLE:
			r.Table = int(number32(value))
		case unix.FRA_SUPPRESS_PREFIXLEN, unix.FRA_SUPPRESS_IFGROUP:
			r.Selective = r.Selective || number32(value) != 1<<32-1 // -1: nothing is left out
		case unix.FRA_PROTOCOL:
			if len(value) == 1 {
				r.Protocol = int(value[0])
			}
		case unix.FRA_PAD, unix.FRA_GOTO:
		case unix.FRA_L3MDEV:
			r.Selective, r.Table = true, 0
		default: // FRA_IIFNAME, FRA_FWMARK, FRA_UID_RANGE, and what later kernels add
			r.Selective = true
		}
	}
	if r.Action != "lookup" {
		r.Table = 0
	}
	return []Rule{r.settled()}
}

func rulePrefix(b []byte, bits uint8) netip.Prefix {
	addr, ok := netip.AddrFromSlice(b)
	if !ok || int(bits) > addr.BitLen() {
		return netip.Prefix{}
	}
	return netip.PrefixFrom(addr, int(bits))
}

// kernelRules returns the rules that a new namespace has (fib_default_rules_init
// and fib6_rules_net_init of Linux).
func kernelRules(six bool) []Rule {
	rules := []Rule{
		{IPv6: six, Priority: 0, Action: "lookup", Table: TableLocal, Protocol: unix.RTPROT_KERNEL},
		{IPv6: six, Priority: 32766, Action: "lookup", Table: TableMain, Protocol: unix.RTPROT_KERNEL},
	}
	if !six {
		rules = append(rules, Rule{Priority: 32767, Action: "lookup", Table: TableDefault, Protocol: unix.RTPROT_KERNEL})
	}
	return rules
}

// Rules implements View.
func (f *Fake) Rules() ([]Rule, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.failure("Rules"); err != nil {
		return nil, err
	}
	var all []Rule
	for _, six := range []bool{false, true} {
		if f.givenRules[six] == nil {
			all = append(all, kernelRules(six)...)
			continue
		}
		all = append(all, f.givenRules[six]...)
	}
	return all, nil
}

// ruleText returns the rules that Parse was given.
func (f *Fake) ruleText() string {
	var b strings.Builder
	for _, six := range []bool{false, true} {
		rules := f.givenRules[six]
		if rules != nil && len(rules) == 0 {
			b.WriteString(map[bool]string{false: "rule none\n", true: "rule6 none\n"}[six])
		}
		for _, r := range rules {
			b.WriteString(r.String() + "\n")
		}
	}
	return b.String()
}

func (f *Fake) parseRule(six bool, words []string) (err error) {
	if f.givenRules == nil {
		f.givenRules = map[bool][]Rule{}
	}
	if f.givenRules[six] == nil {
		f.givenRules[six] = []Rule{}
	}
	if len(words) == 1 && words[0] == "none" {
		return nil
	}
	if len(words) == 0 {
		return errors.New("want a priority, or none")
	}
	r := Rule{IPv6: six}
	if r.Priority, err = strconv.Atoi(words[0]); err != nil {
		return err
	}
	rest := slices.DeleteFunc(slices.Clone(words[1:]), func(word string) bool {
		action := slices.Contains(ruleActions(), word) && word != "lookup"
		if action {
			r.Action = word
		}
		r.Selective = r.Selective || word == "selective"
		return action || word == "selective"
	})
	for key, value := range pairs(rest, &err) {
		switch key {
		case "from":
			r.Src, err = netip.ParsePrefix(value)
		case "to":
			r.Dst, err = netip.ParsePrefix(value)
		case "lookup":
			r.Action = key
			r.Table, err = strconv.Atoi(value)
		case "proto":
			r.Protocol, err = strconv.Atoi(value)
		default:
			err = fmt.Errorf("%s is no attribute of a rule", key)
		}
	}
	f.givenRules[six] = append(f.givenRules[six], r.settled())
	return err
}
