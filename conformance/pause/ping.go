// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
)

// ping sends one ICMP echo request and waits for its reply (RFC 792).
func ping(address string) error {
	to, err := netip.ParseAddr(address)
	if err != nil {
		return err
	}
	conn, peer, err := open(to)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	request := icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{ID: os.Getpid() & 0xffff, Seq: 1, Data: []byte("conformance")}}
	packet, err := request.Marshal(nil)
	if err != nil {
		return err
	}
	if _, err := conn.WriteTo(packet, peer); err != nil {
		return err
	}
	return awaitReply(conn)
}

// open opens a raw socket, for which containerd gives CAP_NET_RAW, or else one
// for echo requests alone, for which podman gives the group range (icmp(7)).
func open(to netip.Addr) (*icmp.PacketConn, net.Addr, error) {
	conn, rawErr := icmp.ListenPacket("ip4:icmp", "0.0.0.0")
	if rawErr == nil {
		return conn, &net.IPAddr{IP: to.AsSlice()}, nil
	}
	conn, err := icmp.ListenPacket("udp4", "0.0.0.0")
	if err != nil {
		return nil, nil, fmt.Errorf("open socket: %w", errors.Join(rawErr, err))
	}
	return conn, &net.UDPAddr{IP: to.AsSlice()}, nil
}

// awaitReply reads until the reply comes. A raw socket is given other packets as well.
func awaitReply(conn *icmp.PacketConn) error {
	const protocolICMP = 1
	buffer := make([]byte, 1500)
	for {
		n, _, err := conn.ReadFrom(buffer)
		if err != nil {
			return err
		}
		if m, err := icmp.ParseMessage(protocolICMP, buffer[:n]); err == nil && m.Type == ipv4.ICMPTypeEchoReply {
			return nil
		}
	}
}
