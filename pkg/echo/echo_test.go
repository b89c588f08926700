// SPDX-License-Identifier: Apache-2.0

package echo_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/echo"
)

// long is more than any exchange takes on a busy machine.
const long = 2 * time.Minute

// serve starts a server, and returns its port.
func serve(t *testing.T, addr string) uint16 {
	t.Helper()
	checktest.PrivateNode(t)
	s, err := echo.Listen(netip.MustParseAddrPort(addr))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return s.Port()
}

func dialer() echo.Dialer { return new(net.Dialer).DialContext }

func TestEchoAnswers(t *testing.T) {
	for _, listen := range []string{"127.0.0.1:0", "[::]:0"} {
		port := serve(t, listen)
		for _, host := range []string{"127.0.0.1", "127.0.0.2", "::1"} {
			if listen != "[::]:0" && host != "127.0.0.1" {
				continue
			}
			to := netip.AddrPortFrom(netip.MustParseAddr(host), port)
			ctx, cancel := context.WithTimeout(t.Context(), long)
			for _, size := range []int{0, 1400, 9000} {
				if a := echo.TCP(ctx, dialer(), to, size); a.State != echo.Answered || a.RTT <= 0 || a.Err != nil {
					t.Errorf("%d bytes over TCP to %s, served on %s: %v, %v", size, to, listen, a.State, a.Err)
				}
				// A connected socket takes an answer only from where the request went.
				if a := echo.UDP(ctx, dialer(), to, size); a.State != echo.Answered || a.RTT <= 0 || a.Err != nil {
					t.Errorf("%d bytes over UDP to %s, served on %s: %v, %v", size, to, listen, a.State, a.Err)
				}
			}
			cancel()
		}
	}
}

// Nothing listens: the kernel says so, which shows that the packets arrive.
func TestEchoRefused(t *testing.T) {
	checktest.PrivateNode(t)
	s, err := echo.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	to := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), s.Port())
	s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), long)
	defer cancel()
	if a := echo.TCP(ctx, dialer(), to, 0); a.State != echo.Refused || !a.State.Passes() {
		t.Errorf("TCP to a closed port: %v, %v", a.State, a.Err)
	}
	if a := echo.UDP(ctx, dialer(), to, 0); a.State != echo.Refused || !a.State.Passes() {
		t.Errorf("UDP to a closed port: %v, %v", a.State, a.Err)
	}
}

func TestEchoSilentAndStalled(t *testing.T) {
	checktest.PrivateNode(t)
	checktest.Shell(t, "ip link add mute type veth peer name wall; ip link set mute up; ip link set wall up; ip address add 192.0.2.1/24 dev mute; ip neigh add 192.0.2.9 lladdr 02:00:00:00:00:09 dev mute")
	silent := netip.AddrPortFrom(netip.MustParseAddr("192.0.2.9"), echo.Port)
	for name, ask := range map[string]func(context.Context, echo.Dialer, netip.AddrPort, int) echo.Answer{"TCP": echo.TCP, "UDP": echo.UDP} {
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
		if a := ask(ctx, dialer(), silent, 0); a.State != echo.Silent || a.State.Passes() || a.Err == nil {
			t.Errorf("%s to an address that does not answer: %v, %v", name, a.State, a.Err)
		}
		cancel()
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
	defer cancel()
	if a := echo.TCP(ctx, dialer(), l.Addr().(*net.TCPAddr).AddrPort(), 0); a.State != echo.Stalled && a.State != echo.Silent || a.State.Passes() {
		t.Errorf("TCP to a service that does not answer: %v, %v", a.State, a.Err)
	}
}

// What is not a request gets no answer, so two services cannot be made to talk to each other.
func TestEchoIgnoresOtherMessages(t *testing.T) {
	port := serve(t, "127.0.0.1:0")
	conn, err := net.DialUDP("udp", nil, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: int(port)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answer := append([]byte("cni-guard say 1\n"), bytes.Repeat([]byte{7}, 100)...)
	request := append([]byte("cni-guard ask 1\n"), bytes.Repeat([]byte{8}, 100)...)
	for _, message := range [][]byte{nil, []byte("x"), []byte("cni-guard ask 1\n"), answer, request} {
		if _, err := conn.Write(message); err != nil {
			t.Fatal(err)
		}
	}
	_ = conn.SetReadDeadline(time.Now().Add(long))
	buffer := make([]byte, 1000)
	n, err := conn.Read(buffer) // of the last, as datagrams over lo stay in order
	if err != nil || n != len(request) || !bytes.HasPrefix(buffer, []byte("cni-guard say 1\n\x08")) {
		t.Errorf("the first answer is %q, %v", buffer[:n], err)
	}
}

// A server ends while strangers hold connections open.
func TestEchoServerEnds(t *testing.T) {
	checktest.PrivateNode(t)
	s, err := echo.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx) }()
	to := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), s.Port())
	for range 40 { // more than it serves at once
		conn, err := net.Dial("tcp", to.String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	cancel()
	if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("serve: %v", err)
	}
}

func FuzzReadMessage(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x18cni-guard ask 1\n12345678"))
	f.Add([]byte("\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		message, err := echo.ReadMessage(bytes.NewReader(stream))
		if err == nil && (len(message) < 24 || len(message) > 16<<10 || !bytes.Equal(message, stream[4:4+len(message)])) {
			t.Errorf("%q is read as %q", stream, message)
		}
	})
}
