// SPDX-License-Identifier: Apache-2.0

package netstate_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// tracked makes a node with a second one beside it, of which the first tracks
// connections.
const tracked = `
ip netns add far
ip -n near link add eth0 type veth peer name eth0 netns far
for ns in near far; do ip -n $ns link set eth0 addrgenmode none up; done
ip -n near address add 10.0.0.1/24 dev eth0
ip -n far address add 10.0.0.2/24 dev eth0
ip -n near address add fd00::1/64 dev eth0 nodad
ip -n far address add fd00::2/64 dev eth0 nodad
ip netns exec near iptables -A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT
ip netns exec near ip6tables -A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT
`

// What went out and got nothing back is told from what got something back. The
// protocols are those of ipip, and of IPv6 within IPv6.
func TestLiveFlows(t *testing.T) {
	near := sandbox(t, "near")
	t.Cleanup(func() { checktest.Shell(t, "ip netns delete far") })
	checktest.Shell(t, tracked)
	far := netstate.OpenNetns("/run/netns/far")
	t.Cleanup(func() { _ = far.Close() })

	raw(t, near, 47, "10.0.0.2")
	raw(t, near, 4, "10.0.0.2")
	raw(t, near, 41, "fd00::2")
	want(t, view(t, near), "4 10.0.0.1 10.0.0.2 false", "41 fd00::1 fd00::2 false")
	raw(t, far, 4, "10.0.0.1")
	want(t, view(t, near), "4 10.0.0.1 10.0.0.2 true", "41 fd00::1 fd00::2 false")
	want(t, view(t, far)) // it tracks nothing
}

func want(t *testing.T, v *netstate.Live, want ...string) {
	t.Helper()
	var got []string
	for _, protocol := range []uint8{4, 41} {
		flows, err := v.Flows(protocol)
		if errors.Is(err, netstate.ErrNoConntrack) {
			checktest.Lacking(t, err.Error())
		}
		must(t, err)
		for _, f := range flows {
			got = append(got, fmt.Sprint(f.Protocol, " ", f.Src, " ", f.Dst, " ", f.Replied))
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("flows are %q, want %q", got, want)
	}
}

// raw sends an empty packet of an IP protocol; as the veth is synchronous, it has
// arrived when raw returns.
func raw(t *testing.T, from *netstate.Netns, protocol int, to string) {
	t.Helper()
	addr := netip.MustParseAddr(to)
	must(t, from.Enter(func() error {
		family, sockaddr := unix.AF_INET, unix.Sockaddr(&unix.SockaddrInet4{Addr: [4]byte(addr.AsSlice()[:4])})
		if addr.Is6() {
			family, sockaddr = unix.AF_INET6, &unix.SockaddrInet6{Addr: addr.As16()}
		}
		fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocol)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return unix.Sendto(fd, make([]byte, net.IPv4len*5), 0, sockaddr)
	}))
}

// A kernel that has nothing to ask is told from one that does not let us.
func TestFlowError(t *testing.T) {
	for err, absent := range map[error]bool{unix.EINVAL: true, unix.EPROTONOSUPPORT: true, unix.EPERM: false, unix.EAGAIN: false} {
		if got := netstate.FlowError(err); errors.Is(got, netstate.ErrNoConntrack) != absent || !errors.Is(got, err) {
			t.Errorf("%v is %v; no connection tracking: want %t", err, got, absent)
		}
	}
}
