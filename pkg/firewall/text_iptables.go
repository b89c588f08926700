// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"net/netip"
	"strconv"
	"strings"
)

// iptablesSteps reads the words of a rule behind "-A CHAIN".
func iptablesSteps(words []string, six bool) []step {
	n := 4
	if six {
		n = 16
	}
	bytes := func() []byte { return make([]byte, n) }
	h := head{six: six, src: bytes(), srcMask: bytes(), dst: bytes(), dstMask: bytes(),
		in: make([]byte, 16), inMask: make([]byte, 16), out: make([]byte, 16), outMask: make([]byte, 16)}
	var steps []step
	for len(words) > 0 {
		var group []string
		group, words = nextGroup(words)
		not := group[0] == "!"
		if not {
			group = group[1:]
		}
		steps = append(steps, h.read(group, not)...)
	}
	return append([]step{h}, steps...)
}

// nextGroup takes an option and what belongs to it: a match or target with its own options.
func nextGroup(words []string) (group, rest []string) {
	begins := func(w string) bool { return len(w) == 2 && w[0] == '-' && w[1] != '-' }
	i := 1
	if words[0] == "!" {
		i = 2
	}
	for ; i < len(words); i++ {
		if begins(words[i]) || words[i] == "!" && i+1 < len(words) && begins(words[i+1]) {
			break
		}
	}
	i = min(i, len(words))
	return words[:i], words[i:]
}

// read reads an option; what is part of the head it keeps there.
func (h *head) read(group []string, not bool) []step {
	unknown := []step{opaque{"the option " + strings.Join(group, " ")}}
	if len(group) < 2 {
		return unknown
	}
	switch group[0] {
	case "-s", "-d":
		prefix, err := netip.ParsePrefix(group[1])
		if addr, addrErr := netip.ParseAddr(group[1]); err != nil && addrErr == nil {
			prefix, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil || prefix.Addr().Is6() != h.six {
			return unknown
		}
		if group[0] == "-s" {
			h.src, h.srcMask = prefixBytes(prefix)
			h.notSrc = not
		} else {
			h.dst, h.dstMask = prefixBytes(prefix)
			h.notDst = not
		}
		return nil
	case "-i", "-o":
		name, mask := h.in, h.inMask
		if group[0] == "-o" {
			name, mask = h.out, h.outMask
			h.notOut = not
		} else {
			h.notIn = not
		}
		word, open := strings.CutSuffix(group[1], "+")
		copy(name, word)
		for i := range mask {
			if i < len(word) || !open {
				mask[i] = 0xff
			}
		}
		return nil
	case "-p":
		h.proto, h.notProt = protocolNumber(group[1]), not
		if len(group) > 2 {
			return []step{matchOf(group[1], group[2:])}
		}
		return nil
	case "-m":
		return []step{matchOf(group[1], group[2:])}
	case "-j", "-g":
		return []step{targetOf(group[1], group[2:], group[0] == "-g")}
	}
	return unknown
}

func protocolNumber(word string) byte {
	for number, name := range protocolNames() {
		if name == word {
			return number
		}
	}
	n, _ := strconv.ParseUint(word, 10, 8)
	return byte(n)
}

// An option of a match: its words without the dashes, and whether it is negated.
type option struct {
	name string
	not  bool
	args []string
}

func optionsOf(words []string) []option {
	var all []option
	not := false
	for _, w := range words {
		switch {
		case w == "!":
			not = true
		case strings.HasPrefix(w, "--"):
			all = append(all, option{name: w[2:], not: not})
			not = false
		case len(all) > 0:
			all[len(all)-1].args = append(all[len(all)-1].args, w)
		}
	}
	return all
}

// matchOf reads a match. One that is not known, or has an option that is not, is doubtful.
func matchOf(name string, words []string) step {
	doubt := doubtful{text: "the match " + name, match: name}
	p := portMatch{name: name, proto: map[string]byte{"udp": protoUDP, "tcp": protoTCP}[name]}
	for _, o := range optionsOf(words) {
		arg := ""
		if len(o.args) > 0 {
			arg = o.args[0]
		}
		switch name + " " + o.name {
		case "comment comment":
			return comment{arg}
		case "conntrack ctstate", "state state":
			return stateMatch{name: name, mask: stateBits(arg), not: o.not}
		case "mark mark":
			value, mask, _ := strings.Cut(arg, "/")
			k := markMatch{value: number(value), mask: 0xffffffff, not: o.not}
			if mask != "" {
				k.mask = number(mask)
			}
			return k
		case "addrtype dst-type":
			return addrTypeMatch{destination: typeBit(arg), notDest: o.not}
		case "addrtype src-type":
			return addrTypeMatch{source: typeBit(arg), notSource: o.not}
		case "udp dport", "tcp dport", "multiport dports":
			p.dst, p.notDst = portRanges(arg), o.not
		case "udp sport", "tcp sport", "multiport sports":
			p.src, p.notSrc = portRanges(arg), o.not
		case "icmp icmp-type", "icmp6 icmpv6-type", "ipv6-icmp icmpv6-type":
			return icmpMatch{six: name != "icmp", kind: byte(number(arg)), high: 255, not: o.not}
		default:
			return doubt
		}
	}
	if p.proto != 0 || p.dst != nil || p.src != nil {
		return p
	}
	return doubt
}

func number(word string) uint32 {
	n, _ := strconv.ParseUint(word, 0, 32)
	return uint32(n)
}

func typeBit(word string) uint16 {
	return map[string]uint16{"UNICAST": 1 << 1, "LOCAL": 1 << 2, "BROADCAST": 1 << 3, "ANYCAST": 1 << 4, "MULTICAST": 1 << 5}[word]
}

func stateBits(words string) uint32 {
	bits := uint32(0)
	for word := range strings.SplitSeq(words, ",") {
		bits |= map[string]uint32{"INVALID": 1, "ESTABLISHED": 2, "RELATED": 4, "NEW": 8, "SNAT": stateSNAT, "DNAT": stateDNAT, "UNTRACKED": stateUntracked}[strings.ToUpper(word)]
	}
	return bits
}

func portRanges(words string) []portRange {
	ranges := []portRange{}
	for word := range strings.SplitSeq(words, ",") {
		from, to, is := strings.Cut(word, ":")
		r := portRange{uint16(number(from)), uint16(number(from))}
		if is {
			r.to = uint16(number(to))
		}
		ranges = append(ranges, r)
	}
	return ranges
}

// targetOf reads a target: a verdict, one with options of its own, or a chain.
func targetOf(name string, words []string, isGoto bool) step {
	switch {
	case isGoto:
		return verdictStep{verdict: verdict{kind: vGoto, chain: name}}
	case name == "ACCEPT":
		return verdictStep{verdict: verdict{kind: vAccept}}
	case name == "DROP":
		return verdictStep{verdict: verdict{kind: vDrop}}
	case name == "RETURN":
		return verdictStep{verdict: verdict{kind: vReturn}}
	case name == "MARK":
		for _, o := range optionsOf(words) {
			value, mask, masked := strings.Cut(strings.Join(o.args, ""), "/")
			t := markTarget{number(value), 0xffffffff}
			if masked {
				t.mask = number(mask)
			}
			if o.name == "or-mark" {
				t.mask = t.value
			}
			if o.name == "set-xmark" || o.name == "or-mark" || o.name == "set-mark" {
				return t
			}
		}
		return forgetMark{name}
	case name == "CT" && len(words) > 0 && words[0] == "--notrack":
		return notrack{}
	}
	if s, is := decodeTarget(name, 0, nil).(opaque); !is || name == "NFQUEUE" || name == "TPROXY" || name == "SYNPROXY" {
		if is {
			return s
		}
		return decodeTarget(name, 0, nil)
	}
	return verdictStep{verdict: verdict{kind: vJump, chain: name}}
}
