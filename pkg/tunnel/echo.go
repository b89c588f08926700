// SPDX-License-Identifier: Apache-2.0

package tunnel

import (
	"encoding/binary"
	"net/netip"
)

// Types of ICMP (RFC 792) and ICMPv6 (RFC 4443).
const (
	echoReply4, unreachable4, echoRequest4, timeExceeded4 = 0, 3, 8, 11
	unreachable6, timeExceeded6, echoRequest6, echoReply6 = 1, 3, 128, 129
)

// A request is the echo header, the nonce and the try, and a word for whoever
// meets it in a packet dump. The nonce is what others on this node, who may use
// the same identifier, cannot have sent.
const (
	echoHeader = 8
	nonceAt    = echoHeader
	tryAt      = nonceAt + 8
	wordAt     = tryAt + 1
	requestLen = wordAt + len(word)
	word       = "cni-guard"
)

// request writes a request into a message of requestLen bytes.
func (p *prober) request(message []byte, to netip.Addr, seq uint16, t try) {
	clear(message)
	message[0] = echoRequest4
	if to.Is6() {
		message[0] = echoRequest6
	}
	binary.BigEndian.PutUint16(message[4:], p.id)
	binary.BigEndian.PutUint16(message[6:], seq)
	binary.BigEndian.PutUint64(message[nonceAt:], p.nonce)
	message[tryAt] = byte(t)
	copy(message[wordAt:], word)
	if to.Is4() {
		binary.BigEndian.PutUint16(message[2:], checksum(message))
	}
}

// checksum is that of RFC 1071, of a message whose own is zero.
func checksum(message []byte) uint16 {
	var sum uint32
	for i := 0; i < len(message); i += 2 {
		sum += uint32(message[i]) << 8
		if i+1 < len(message) {
			sum += uint32(message[i+1])
		}
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// echoed gives sequence number and try of an answer to one of our requests. The
// answer has all of the request in it (RFC 792, page 15).
func (p *prober) echoed(message []byte) (seq uint16, t try, ok bool) {
	if len(message) != requestLen ||
		binary.BigEndian.Uint16(message[4:]) != p.id ||
		binary.BigEndian.Uint64(message[nonceAt:]) != p.nonce ||
		message[tryAt] >= byte(tries) {
		return 0, 0, false
	}
	return binary.BigEndian.Uint16(message[6:]), try(message[tryAt]), true
}

// quoted gives the sequence number of the request that an error is about, and
// where that request went. Errors quote at least the IP header and eight bytes
// (RFC 792), which is the whole echo header; the nonce may be missing.
func (p *prober) quoted(message []byte, six bool) (seq uint16, to netip.Addr, ok bool) {
	if len(message) < echoHeader {
		return 0, to, false
	}
	to, echo := quotedEcho(message[echoHeader:], six)
	if len(echo) < echoHeader || binary.BigEndian.Uint16(echo[4:]) != p.id {
		return 0, to, false
	}
	if len(echo) >= tryAt && binary.BigEndian.Uint64(echo[nonceAt:]) != p.nonce {
		return 0, to, false
	}
	return binary.BigEndian.Uint16(echo[6:]), to, true
}

// quotedEcho takes the IP header off a packet, and gives the echo request in it;
// none where it is something else, or a header that it does not know.
func quotedEcho(packet []byte, six bool) (to netip.Addr, echo []byte) {
	const header4, header6, protocolICMP, protocolICMP6 = 20, 40, 1, 58
	switch {
	case six && len(packet) >= header6 && packet[0]>>4 == 6 && packet[6] == protocolICMP6:
		to, echo = netip.AddrFrom16([16]byte(packet[24:40])), packet[header6:]
		if len(echo) > 0 && echo[0] == echoRequest6 {
			return to, echo
		}
	case !six && len(packet) >= header4 && packet[0]>>4 == 4 && packet[9] == protocolICMP:
		length := int(packet[0]&0x0f) * 4
		if length < header4 || length >= len(packet) {
			return to, nil
		}
		to, echo = netip.AddrFrom4([4]byte(packet[16:20])), packet[length:]
		if echo[0] == echoRequest4 {
			return to, echo
		}
	}
	return netip.Addr{}, nil
}
