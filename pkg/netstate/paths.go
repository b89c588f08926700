// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"unsafe"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Paths is the part of a View that finds out what happens to packets in a tunnel. Errors
// are those of View.
type Paths interface {
	// LinkCounters returns what a link has counted since it was made.
	LinkCounters(link string) (LinkCounters, error)
	// Offload returns the driver of a link, and whether it leaves checksums to it.
	Offload(link string) (Offload, error)
	// Dial opens a connected socket, as net.Dialer does. The address is not a name.
	Dial(ctx context.Context, network, address string) (net.Conn, error)
	// AskMAC asks other nodes for the MACs of their ends of vxlan tunnels, by an ARP request
	// to all, and returns them in the order of the questions; the zero MAC for those who did
	// not answer before ctx ended. It must end. It takes CAP_NET_RAW.
	AskMAC(ctx context.Context, questions []MACQuestion) ([]MAC, error)
}

// LinkCounters are counters of a link (struct rtnl_link_stats64).
type LinkCounters struct {
	RxOtherhost uint64 // packets dropped because they are for another MAC (Linux 5.19)
	TxPackets   uint64
	TxDropped   uint64
	TxErrors    uint64
	Collisions  uint64 // a tunnel counts what would go into itself here
}

// Offload is what a link's driver does with checksums.
type Offload struct {
	Driver   string // "vmxnet3"
	Checksum bool   // the driver computes those of transmitted packets (tx-checksumming)
}

// A MACQuestion asks the node with an outer address for the MAC that its end of a tunnel
// has.
type MACQuestion struct {
	Tunnel TunnelLink // a vxlan of this node with an IPv4 address
	Outer  netip.Addr // of the other node
	Inner  netip.Addr // the IPv4 address that its end of the tunnel has
}

// LinkCounters implements View.
func (l *Live) LinkCounters(name string) (c LinkCounters, err error) {
	q := question{unix.RTM_GETLINK, unix.RTM_NEWLINK, []nl.NetlinkRequestData{
		nl.NewIfInfomsg(unix.AF_UNSPEC), nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name)),
	}}
	err = l.ask(q, func(b []byte) error {
		if len(b) < unix.SizeofIfInfomsg {
			return errCutShort
		}
		for kind, value := range attributes(b[unix.SizeofIfInfomsg:]) {
			if kind == unix.IFLA_STATS64 {
				c = parseStats(value)
			}
		}
		return nil
	})
	if err != nil {
		return c, fmt.Errorf("read counters of %s: %w", name, errnoMeaning(err))
	}
	return c, nil
}

func parseStats(b []byte) LinkCounters {
	at := func(n int) uint64 { // an older kernel has fewer
		if len(b) < 8*n+8 {
			return 0
		}
		return binary.NativeEndian.Uint64(b[8*n:])
	}
	const txPackets, txErrors, txDropped, collisions, rxOtherhost = 1, 5, 7, 9, 24
	return LinkCounters{RxOtherhost: at(rxOtherhost), TxPackets: at(txPackets), TxDropped: at(txDropped), TxErrors: at(txErrors), Collisions: at(collisions)}
}

// Offload implements View, by the requests of ethtool(8).
func (l *Live) Offload(name string) (o Offload, err error) {
	err = l.enter(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		info, err := unix.IoctlGetEthtoolDrvinfo(fd, name)
		if err != nil {
			return err
		}
		o.Driver = unix.ByteSliceToString(info.Driver[:])
		o.Checksum, err = txChecksum(fd, name)
		return err
	})
	if err != nil {
		return o, fmt.Errorf("read offloads of %s: %w", name, errnoMeaning(err))
	}
	return o, nil
}

// txChecksum sends ETHTOOL_GTXCSUM.
func txChecksum(fd int, name string) (bool, error) {
	value := struct{ command, data uint32 }{command: unix.ETHTOOL_GTXCSUM}
	request := struct { // struct ifreq
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte
	}{data: unsafe.Pointer(&value)}
	if copy(request.name[:unix.IFNAMSIZ-1], name) != len(name) {
		return false, unix.ENODEV
	}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request))); errno != 0 {
		return false, errno
	}
	return value.data != 0, nil
}

// Dial implements View.
func (l *Live) Dial(ctx context.Context, network, address string) (conn net.Conn, err error) {
	if _, err := netip.ParseAddrPort(address); err != nil {
		return nil, fmt.Errorf("dial %s: %w", address, err)
	}
	err = l.enter(func() (err error) { // the socket is opened on this thread
		conn, err = new(net.Dialer).DialContext(ctx, network, address)
		return err
	})
	if conn != nil && err != nil { // the thread did not come back
		conn.Close()
		return nil, err
	}
	return conn, err
}

// AskMAC implements View.
func (l *Live) AskMAC(ctx context.Context, questions []MACQuestion) ([]MAC, error) {
	macs := make([]MAC, len(questions))
	byLink := map[int][]int{}
	for i, q := range questions {
		byLink[q.Tunnel.Index] = append(byLink[q.Tunnel.Index], i)
	}
	var errs []error
	for link, at := range byLink {
		if err := l.askOver(ctx, link, questions, at, macs); err != nil {
			errs = append(errs, fmt.Errorf("ask for MACs over %s: %w", questions[at[0]].Tunnel.Name, err))
		}
	}
	return macs, errors.Join(errs...)
}
