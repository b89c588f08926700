// SPDX-License-Identifier: Apache-2.0

package netstate_test

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

func TestFakePings(t *testing.T) {
	const text = `answers 10.0.0.1
answers fd00::1 after 2
answers 10.0.0.2 after 3 as 10.0.0.3
unreachable 10.0.0.4 by 192.0.2.1
`
	fake, err := netstate.Parse(text)
	must(t, err)
	if got := fake.String(); got != text {
		t.Errorf("it prints\n%swant\n%s", got, text)
	}
	for _, wrong := range []string{"answers", "answers nobody", "answers 10.0.0.1 by 10.0.0.2", "answers 10.0.0.1 after", "unreachable 10.0.0.1", "unreachable 10.0.0.1 as 10.0.0.2", "answers 10.0.0.1 over lo"} {
		if _, err := netstate.Parse(wrong); err == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
}

// echo is a request with identifier 7 and sequence 1; its checksum is right.
func echo(six bool) []byte {
	if six {
		return []byte{128, 0, 0, 0, 0, 7, 0, 1}
	}
	return []byte{8, 0, 0xf7, 0xf7, 0, 7, 0, 1}
}

// The fake answers a ping as the kernel does, in either family.
func TestFakeAgreesOnPings(t *testing.T) {
	kernel := view(t, sandbox(t, "ping"))
	checktest.Shell(t, "ip -n ping link set lo up")
	fake, err := netstate.Parse("answers 127.0.0.1 over 1\nanswers ::1 over 1")
	must(t, err)
	for _, to := range []string{"127.0.0.1", "::1"} {
		addr := netip.MustParseAddr(to)
		var replies [2][]byte
		for i, v := range []netstate.View{fake, kernel} {
			conn, err := v.ListenICMP(addr.Is6())
			must(t, err)
			must(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
			must(t, conn.Send(echo(addr.Is6()), addr))
			buffer := make([]byte, 100)
			n, from, err := conn.Receive(buffer)
			if err != nil || from.Addr != addr || from.Link != netstate.Loopback {
				t.Fatalf("%s: an answer from %+v, error %v", to, from, err)
			}
			buffer[2], buffer[3] = 0, 0 // the checksum, which the fake leaves alone
			replies[i] = buffer[:n]
			must(t, conn.SetDeadline(time.Now().Add(-time.Second)))
			if _, _, err := conn.Receive(buffer); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s: after the deadline the error is %v", to, err)
			}
			must(t, conn.Close())
		}
		if !bytes.Equal(replies[0], replies[1]) {
			t.Errorf("%s: the fake answers %x, the kernel %x", to, replies[0], replies[1])
		}
	}
}

// The socket is that of the namespace, whatever thread uses it, and an answer for
// another namespace is none of its own.
func TestICMPInNamespace(t *testing.T) {
	here, there := view(t, sandbox(t, "here")), view(t, sandbox(t, "there"))
	checktest.Shell(t, "ip -n here address add 10.9.9.9/32 dev lo; ip -n here link set lo up; ip -n there link set lo up")
	for v, want := range map[netstate.View]bool{here: true, there: false} {
		conn, err := v.ListenICMP(false)
		must(t, err)
		if err := conn.Send(echo(false), netip.MustParseAddr("10.9.9.9")); (err == nil) != want {
			t.Errorf("sending where the address is %v: %v", want, err)
		}
		must(t, conn.Close())
	}
}
