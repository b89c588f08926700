// SPDX-License-Identifier: Apache-2.0

package tunnel

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// Types of ICMP (RFC 792) and ICMPv6 (RFC 4443).
const (
	echoReply4, unreachable4, echoRequest4, timeExceeded4 = 0, 3, 8, 11
	unreachable6, timeExceeded6, echoRequest6, echoReply6 = 1, 3, 128, 129
)

// A request is the echo header, the nonce, the attempt, and a signature for people who
// see it in a packet dump. Other processes of this node may use the same identifier; the
// nonce distinguishes their messages from ours.
const (
	echoHeader  = 8
	nonceAt     = echoHeader
	attemptAt   = nonceAt + 8
	signatureAt = attemptAt + 1
	requestLen  = signatureAt + len(signature)
	signature   = "cni-guard"
)

// length returns the length of the messages of a family.
func (p *prober) length(six bool) int {
	header := 20
	if six {
		header = 40
	}
	return max(requestLen, p.bytes-header)
}

// writeRequest writes a request into a message of requestLen bytes or more.
func (p *prober) writeRequest(message []byte, to netip.Addr, seq uint16, n attempt) {
	clear(message)
	message[0] = echoRequest4
	if to.Is6() {
		message[0] = echoRequest6
	}
	binary.BigEndian.PutUint16(message[4:], p.id)
	binary.BigEndian.PutUint16(message[6:], seq)
	binary.BigEndian.PutUint64(message[nonceAt:], p.nonce)
	message[attemptAt] = byte(n)
	copy(message[signatureAt:], signature)
	if to.Is4() {
		binary.BigEndian.PutUint16(message[2:], checksum(message))
	}
}

// checksum returns the checksum of RFC 1071 of a message whose checksum field is zero.
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

// parseReply returns the sequence number and the attempt of an answer to one of our
// requests. An answer repeats all of the request (RFC 792, page 15).
func (p *prober) parseReply(message []byte, six bool) (seq uint16, n attempt, ok bool) {
	if len(message) != p.length(six) ||
		binary.BigEndian.Uint16(message[4:]) != p.id ||
		binary.BigEndian.Uint64(message[nonceAt:]) != p.nonce ||
		message[attemptAt] >= byte(attempts) {
		return 0, 0, false
	}
	return binary.BigEndian.Uint16(message[6:]), attempt(message[attemptAt]), true
}

// parseError returns the sequence number and the destination of the request of ours that
// an error quotes. Errors quote at least the IP header and eight bytes (RFC 792), which
// is the whole echo header; the nonce may be missing.
func (p *prober) parseError(message []byte, six bool) (seq uint16, to netip.Addr, ok bool) {
	if len(message) < echoHeader {
		return 0, to, false
	}
	to, echo := quotedRequest(message[echoHeader:], six)
	if len(echo) < echoHeader || binary.BigEndian.Uint16(echo[4:]) != p.id {
		return 0, to, false
	}
	if len(echo) >= attemptAt && binary.BigEndian.Uint64(echo[nonceAt:]) != p.nonce {
		return 0, to, false
	}
	return binary.BigEndian.Uint16(echo[6:]), to, true
}

// quotedRequest returns the destination of a packet and the echo request in it; nil if it
// is anything else, or has a header that is unknown here.
func quotedRequest(packet []byte, six bool) (to netip.Addr, echo []byte) {
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

// errorReason returns the meaning of the type and code of an ICMP error, as a clause.
func errorReason(kind, code byte, six bool) string {
	meanings := map[byte]string{
		0: "no route to the network", 1: "no route to the host", 2: "protocol unreachable", 3: "port unreachable",
		4: "packet too big for the path", 9: "administratively prohibited", 10: "administratively prohibited",
		13: "administratively prohibited", // RFC 792, RFC 1812 section 5.2.7.1
	}
	exceeded := byte(timeExceeded4)
	if six {
		exceeded = timeExceeded6
		meanings = map[byte]string{ // RFC 4443, section 3.1
			0: "no route to the host", 1: "administratively prohibited", 3: "no route to the host", 4: "port unreachable",
			5: "source address failed policy", 6: "administratively prohibited",
		}
	}
	if kind == exceeded {
		return "time to live exceeded, which a routing loop causes"
	}
	if meaning, ok := meanings[code]; ok {
		return meaning
	}
	return fmt.Sprintf("unreachable, code %d", code)
}

// A carried is what the outer packets of a tunnel are sent to.
type carried struct {
	to       netip.Addr
	protocol uint8
	port     uint16 // of UDP
}

const protocolUDP = 17

// carriedOf returns what the outer packets to a peer are sent to.
func carriedOf(p Peer) carried {
	c := carried{to: p.Outer, port: p.Port}
	switch {
	case p.Port != 0:
		c.protocol = protocolUDP
	case p.Kind == "ipip":
		c.protocol = 4
	case p.Kind == "sit":
		c.protocol = 41
	}
	return c
}

// quotedCarrier returns what a packet was sent to, if it may be that of a tunnel.
func quotedCarrier(packet []byte, six bool) (c carried, ok bool) {
	const header4, header6 = 20, 40
	var rest []byte
	switch {
	case six && len(packet) >= header6 && packet[0]>>4 == 6:
		c.to, c.protocol, rest = netip.AddrFrom16([16]byte(packet[24:40])), packet[6], packet[header6:]
	case !six && len(packet) >= header4 && packet[0]>>4 == 4:
		length := int(packet[0]&0x0f) * 4
		if length < header4 || length > len(packet) {
			return c, false
		}
		c.to, c.protocol, rest = netip.AddrFrom4([4]byte(packet[16:20])), packet[9], packet[length:]
	}
	switch c.protocol {
	case protocolUDP:
		if len(rest) < 4 {
			return c, false
		}
		c.port = binary.BigEndian.Uint16(rest[2:])
		return c, true
	case 4, 41:
		return c, true
	}
	return c, false
}

// isClosed reports whether an error means that the host was reached and does not take the
// packet: no device has the port, or a firewall says so in its name.
func isClosed(kind, code byte, six bool) bool {
	if six {
		return kind == unreachable6 && code == 4
	}
	return kind == unreachable4 && (code == 2 || code == 3)
}
