// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// A Flow is an entry of connection tracking for a protocol without ports: the
// generic tracker keys it by addresses and protocol alone, and forgets it after
// net.netfilter.nf_conntrack_generic_timeout (600 s) without a packet.
type Flow struct {
	Protocol uint8
	Src, Dst netip.Addr // of the first packet
	// Replied: a packet came the other way (IPS_SEEN_REPLY); conntrack -L prints
	// [UNREPLIED] where none did.
	Replied bool
}

// ErrNoConntrack means that the kernel has no connection tracking (ctnetlink), so that
// flows are unknown.
var ErrNoConntrack = errors.New("the kernel has no ctnetlink")

// What linux/netfilter/nfnetlink_conntrack.h and nf_internals.h have and the
// library has not.
const (
	subsysCTNetlink    = 1  // NFNL_SUBSYS_CTNETLINK
	ctaFilter          = 25 // Linux 5.8; older kernels pass over it
	ctaFilterOrigFlags = 1
	filterProtoNum     = 1 << 3
	ipsSeenReply       = 1 << 1
)

// Flows implements View. The library's list of flows has no status, and reads
// every connection of the node into memory.
func (l *Live) Flows(protocol uint8) (flows []Flow, err error) {
	netfilter, err := l.openNetfilter()
	if err != nil {
		return nil, flowError(err)
	}
	defer netfilter.close()
	for _, family := range families() {
		some, err := settled(func() ([]Flow, error) { return dumpFlows(netfilter, family, protocol, l.patience()) })
		if err != nil {
			return nil, flowError(err)
		}
		flows = append(flows, some...)
	}
	return flows, nil
}

// flowError returns ErrNoConntrack for a kernel without ctnetlink. nfnetlink answers
// EINVAL for a subsystem that it does not have.
func flowError(err error) error {
	for _, absent := range []error{unix.EINVAL, unix.EOPNOTSUPP, unix.EPROTONOSUPPORT, unix.EAFNOSUPPORT} {
		if errors.Is(err, absent) {
			return fmt.Errorf("list flows: %w: %w", ErrNoConntrack, err)
		}
	}
	return fmt.Errorf("list flows: %w", err)
}

func dumpFlows(netfilter *socket, family, protocol uint8, timeout time.Duration) (flows []Flow, err error) {
	filter := nl.NewRtAttr(unix.NLA_F_NESTED|ctaFilter, nil)
	filter.AddRtAttr(ctaFilterOrigFlags, nl.Uint32Attr(filterProtoNum))
	q := question{kind: subsysCTNetlink<<8 | nl.IPCTNL_MSG_CT_GET, parts: []nl.NetlinkRequestData{
		&nl.Nfgenmsg{NfgenFamily: family, Version: nl.NFNETLINK_V0}, tupleOf(protocol), filter,
	}}
	err = netfilter.request(q, unix.NLM_F_DUMP, timeout, func(b []byte) {
		if flow, ok := parseFlowMessage(b); ok && flow.Protocol == protocol {
			flows = append(flows, flow)
		}
	})
	return flows, err
}

// tupleOf returns the attribute that selects a protocol.
func tupleOf(protocol uint8) *nl.RtAttr {
	tuple := nl.NewRtAttr(unix.NLA_F_NESTED|nl.CTA_TUPLE_ORIG, nil)
	proto := tuple.AddRtAttr(unix.NLA_F_NESTED|nl.CTA_TUPLE_PROTO, nil)
	proto.AddRtAttr(nl.CTA_PROTO_NUM, []byte{protocol})
	return tuple
}

// parseFlowMessage is not ok for what has no addresses or no status.
func parseFlowMessage(b []byte) (flow Flow, ok bool) {
	if len(b) < nl.SizeofNfgenmsg {
		return flow, false
	}
	status := false
	for kind, value := range attributes(b[nl.SizeofNfgenmsg:]) {
		switch kind {
		case nl.CTA_TUPLE_ORIG:
			flow.parseTuple(value)
		case nl.CTA_STATUS:
			status = len(value) == 4
			flow.Replied = status && binary.BigEndian.Uint32(value)&ipsSeenReply != 0
		}
	}
	return flow, status && flow.Src.IsValid() && flow.Dst.IsValid()
}

func (flow *Flow) parseTuple(b []byte) {
	for kind, value := range attributes(b) {
		for inner, value := range attributes(value) {
			switch {
			case kind == nl.CTA_TUPLE_IP && (inner == nl.CTA_IP_V4_SRC || inner == nl.CTA_IP_V6_SRC):
				flow.Src = attrAddr(value)
			case kind == nl.CTA_TUPLE_IP && (inner == nl.CTA_IP_V4_DST || inner == nl.CTA_IP_V6_DST):
				flow.Dst = attrAddr(value)
			case kind == nl.CTA_TUPLE_PROTO && inner == nl.CTA_PROTO_NUM && len(value) > 0:
				flow.Protocol = value[0]
			}
		}
	}
}
