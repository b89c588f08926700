// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"encoding/binary"
	"net/netip"
	"strings"

	"golang.org/x/sys/unix"
)

// nftSteps reads the words of a rule as nft prints it: the part of its language that the
// firewalls of nodes are written in. What is not known is opaque.
func nftSteps(words []string) []step {
	var steps []step
	for len(words) > 0 {
		s, n := nftStep(words)
		if n == 0 {
			return append(steps, opaque{"the words " + strings.Join(words, " ")})
		}
		steps, words = append(steps, s...), words[n:]
	}
	return steps
}

// nftStep reads the next condition or statement, and returns how many words it has.
func nftStep(words []string) ([]step, int) {
	done := func(v verdict) []step { return []step{verdictStep{verdict: v}} }
	switch words[0] {
	case "accept":
		return done(verdict{kind: vAccept}), 1
	case "drop":
		return done(verdict{kind: vDrop}), 1
	case "return":
		return done(verdict{kind: vReturn}), 1
	case "reject":
		return done(verdict{kind: vReject}), len(words)
	case "masquerade":
		return []step{verdictStep{verdict: verdict{kind: vTranslate}, text: "masquerade"}}, len(words)
	case "notrack":
		return []step{notrack{}}, 1
	case "counter":
		if len(words) >= 5 && words[1] == "packets" {
			return nil, 5
		}
		return nil, 1
	}
	if len(words) < 2 {
		return nil, 0
	}
	switch words[0] {
	case "jump":
		return done(verdict{kind: vJump, chain: words[1]}), 2
	case "goto":
		return done(verdict{kind: vGoto, chain: words[1]}), 2
	case "comment":
		return nil, 2
	case "iifname", "oifname":
		return nftCondition(words[0], words[1:], 1)
	}
	if len(words) < 3 {
		return nil, 0
	}
	return nftCondition(words[0]+" "+words[1], words[2:], 2)
}

// firstRegister is where NFT_REG_1 begins.
const firstRegister = 16

// nftCondition reads "[!=] VALUE" behind a field; before is the number of words of that.
func nftCondition(field string, words []string, before int) ([]step, int) {
	op, n := uint32(unix.NFT_CMP_EQ), before+1
	if words[0] == "!=" && len(words) > 1 {
		op, words, n = unix.NFT_CMP_NEQ, words[1:], n+1
	}
	values := []string{words[0]}
	if words[0] == "{" {
		values = nil
		for n++; len(words) > 1 && words[1] != "}"; n++ {
			values = append(values, strings.TrimSuffix(words[1], ","))
			words = words[1:]
		}
	}
	if len(values) == 0 {
		return nil, 0
	}
	equal := func(value []byte) step { return cmpStep{firstRegister, op, value} }
	meta := func(key uint32) step {
		return decodeMeta(fieldsWith(unix.NFTA_META_KEY, big32(key), unix.NFTA_META_DREG, big32(1)))
	}
	payload := func(base, offset, length uint32) step {
		return decodePayload(fieldsWith(unix.NFTA_PAYLOAD_DREG, big32(1), unix.NFTA_PAYLOAD_BASE, big32(base), unix.NFTA_PAYLOAD_OFFSET, big32(offset), unix.NFTA_PAYLOAD_LEN, big32(length)))
	}
	family := func(six bool) []step {
		return []step{meta(unix.NFT_META_NFPROTO), cmpStep{firstRegister, unix.NFT_CMP_EQ, []byte{nfproto(six)}}}
	}
	switch field {
	case "iifname", "oifname":
		key := uint32(unix.NFT_META_IIFNAME)
		if field == "oifname" {
			key = unix.NFT_META_OIFNAME
		}
		return []step{meta(key), oneOf(values, op, func(v string) []byte {
			if open, is := strings.CutSuffix(v, "*"); is {
				return []byte(open)
			}
			return append([]byte(v), make([]byte, 16-min(len(v), 16))...)
		})}, n
	case "meta l4proto", "ip protocol":
		return []step{meta(unix.NFT_META_L4PROTO), oneOf(values, op, func(v string) []byte { return []byte{protocolNumber(v)} })}, n
	case "meta nfproto":
		return []step{meta(unix.NFT_META_NFPROTO), equal([]byte{nfproto(values[0] == "ipv6")})}, n
	case "udp dport", "tcp dport", "udp sport", "tcp sport":
		proto, at := protocolNumber(field[:3]), uint32(2)
		if strings.HasSuffix(field, "sport") {
			at = 0
		}
		steps := []step{meta(unix.NFT_META_L4PROTO), cmpStep{firstRegister, unix.NFT_CMP_EQ, []byte{proto}}, payload(unix.NFT_PAYLOAD_TRANSPORT_HEADER, at, 2)}
		port := func(v string) []byte { return binary.BigEndian.AppendUint16(nil, uint16(number(v))) }
		if low, high, is := strings.Cut(values[0], "-"); is && len(values) == 1 {
			return append(steps, rangeStep{firstRegister, op == unix.NFT_CMP_NEQ, port(low), port(high)}), n
		}
		return append(steps, oneOf(values, op, port)), n
	case "ip saddr", "ip daddr", "ip6 saddr", "ip6 daddr":
		prefix, err := netip.ParsePrefix(values[0])
		if addr, addrErr := netip.ParseAddr(values[0]); addrErr == nil {
			prefix, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		six := strings.HasPrefix(field, "ip6")
		if err != nil || len(values) != 1 || prefix.Addr().Is6() != six {
			return nil, 0
		}
		at := map[string]uint32{"ip saddr": 12, "ip daddr": 16, "ip6 saddr": 8, "ip6 daddr": 24}[field]
		addr, mask := prefixBytes(prefix)
		steps := append(family(six), payload(unix.NFT_PAYLOAD_NETWORK_HEADER, at, uint32(len(addr))))
		if prefix.Bits() < prefix.Addr().BitLen() {
			steps = append(steps, bitwise{firstRegister, firstRegister, mask, make([]byte, len(mask))})
		}
		return append(steps, equal(addr)), n
	case "ct state", "ct status":
		key, mask := uint32(unix.NFT_CT_STATE), uint32(0)
		for _, v := range values {
			mask |= nftStates(v)
		}
		if field == "ct status" {
			key, mask = unix.NFT_CT_STATUS, statusDNAT
			if values[0] != "dnat" {
				return nil, 0
			}
		}
		if words[0] == "vmap" || mask == 0 {
			return nil, 0
		}
		load := decodeCT(fieldsWith(unix.NFTA_CT_KEY, big32(key), unix.NFTA_CT_DREG, big32(1)))
		return []step{load, bitwise{firstRegister, firstRegister, native32(mask), make([]byte, 4)}, cmpStep{firstRegister, op ^ unix.NFT_CMP_NEQ, make([]byte, 4)}}, n
	case "fib daddr":
		if len(words) >= 2 && words[0] == "type" && words[1] == "local" {
			load := decodeFIB(fieldsWith(unix.NFTA_FIB_DREG, big32(1), unix.NFTA_FIB_RESULT, big32(unix.NFT_FIB_RESULT_ADDRTYPE), unix.NFTA_FIB_FLAGS, big32(unix.NFTA_FIB_F_DADDR)))
			return []step{load, equal(native32(2))}, n + 1
		}
	case "limit rate":
		return []step{doubtful{text: "a limit"}}, n
	}
	return nil, 0
}

// oneOf compares with one value, or with those of a set.
func oneOf(values []string, op uint32, read func(string) []byte) step {
	if len(values) == 1 {
		return cmpStep{firstRegister, op, read(values[0])}
	}
	s := &set{}
	for _, v := range values {
		s.elements = append(s.elements, element{key: read(v)})
	}
	return lookup{at: firstRegister, set: s, not: op == unix.NFT_CMP_NEQ, to: -1}
}

func nftStates(words string) uint32 {
	bits := uint32(0)
	for word := range strings.SplitSeq(words, ",") {
		for _, s := range []State{Invalid, Established, Related, New, Untracked} {
			if s.String() == word {
				bits |= uint32(s)
			}
		}
	}
	return bits
}

func big32(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }

// fieldsWith returns attributes with 32 bits each: their types, and their values.
func fieldsWith(pairs ...any) *fields {
	f := &fields{}
	for i := 0; i+1 < len(pairs); i += 2 {
		kind, _ := pairs[i].(int)
		value, _ := pairs[i+1].([]byte)
		f.put(uint16(kind), value)
	}
	return f
}
