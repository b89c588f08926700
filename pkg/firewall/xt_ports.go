// SPDX-License-Identifier: Apache-2.0

package firewall

import "encoding/binary"

// A portMatch compares ports: the matches udp, tcp and multiport.
type portMatch struct {
	name             string
	proto            byte // 0: any that has ports
	src, dst, either []portRange
	notSrc, notDst   bool
	not              bool // of either
	flags            bool // TCP flags or options
	mask, compare    byte
	notFlags, option bool
}

type portRange struct{ from, to uint16 }

func (p portMatch) run(m *machine) tri {
	if p.proto != 0 && m.packet.Protocol != 0 && m.packet.Protocol != p.proto {
		return no
	}
	t := yes
	source, destination := m.field(m.transport, 0, 2), m.field(m.transport, 2, 2)
	also := func(match tri, not bool) {
		if not {
			match = match.not()
		}
		t = t.and(match)
	}
	if p.src != nil {
		also(inRanges(source, p.src), p.notSrc)
	}
	if p.dst != nil {
		also(inRanges(destination, p.dst), p.notDst)
	}
	if p.either != nil {
		also(max(inRanges(source, p.either), inRanges(destination, p.either)), p.not)
	}
	if p.flags {
		match := m.field(m.transport, tcpFlags, 1).masked([]byte{p.compare}, []byte{p.mask})
		if p.compare&^p.mask != 0 {
			match = no
		}
		also(match, p.notFlags)
	}
	if p.option {
		also(maybe, false)
	}
	return m.unsure(t)
}

func inRanges(port bits, ranges []portRange) tri {
	t := no
	for _, r := range ranges {
		t = max(t, port.within(binary.BigEndian.AppendUint16(nil, r.from), binary.BigEndian.AppendUint16(nil, r.to)))
	}
	return t
}

func portsOf(name string, proto byte, b []byte, notSrc, notDst bool) portMatch {
	port := func(at int) uint16 { return binary.NativeEndian.Uint16(b[at:]) }
	p := portMatch{name: name, proto: proto, notSrc: notSrc, notDst: notDst}
	if r := (portRange{port(0), port(2)}); r != (portRange{0, 0xffff}) || notSrc {
		p.src = []portRange{r}
	}
	if r := (portRange{port(4), port(6)}); r != (portRange{0, 0xffff}) || notDst {
		p.dst = []portRange{r}
	}
	return p
}

func decodeMultiport(b []byte) step {
	p := portMatch{name: "multiport"}
	var ranges []portRange
	for i := 0; i < min(int(b[1]), 15); i++ {
		from := binary.NativeEndian.Uint16(b[2+2*i:])
		to := from
		if b[32+i] != 0 && i < 14 {
			i++
			to = binary.NativeEndian.Uint16(b[2+2*i:])
		}
		ranges = append(ranges, portRange{from, to})
	}
	not := b[47] != 0
	switch b[0] {
	case 0:
		p.src, p.notSrc = ranges, not
	case 1:
		p.dst, p.notDst = ranges, not
	default:
		p.either, p.not = ranges, not
	}
	return p
}
