// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// LinkCounters implements View. Counters have the names "link/NAME/rx_otherhost_dropped",
// "…/tx_packets", "…/tx_dropped", "…/tx_errors" and "…/collisions"; one that is not there is 0.
func (f *Fake) LinkCounters(name string) (LinkCounters, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.failure("LinkCounters"); err != nil {
		return LinkCounters{}, err
	}
	if _, err := f.find(name); err != nil {
		return LinkCounters{}, err
	}
	at := func(field string) uint64 { return f.countNext("link/" + name + "/" + field) }
	return LinkCounters{RxOtherhost: at("rx_otherhost_dropped"), TxPackets: at("tx_packets"), TxDropped: at("tx_dropped"), TxErrors: at("tx_errors"), Collisions: at("collisions")}, nil
}

// countNext returns the next reading of a counter, which is 0 if there is none.
func (f *Fake) countNext(name string) uint64 {
	values := f.counters[name]
	if len(values) == 0 {
		return 0
	}
	if f.read == nil {
		f.read = map[string]int{}
	}
	at := min(f.read[name], len(values)-1)
	f.read[name]++
	return values[at]
}

// Offload implements View.
func (f *Fake) Offload(name string) (Offload, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.failure("Offload"); err != nil {
		return Offload{}, err
	}
	o, ok := f.offloads[name]
	if !ok {
		return o, fmt.Errorf("read offloads of %s: %w", name, fs.ErrNotExist)
	}
	return o, nil
}

func (f *Fake) parseOffload(words []string) error {
	if len(words) < 3 || len(words) > 4 || words[1] != "driver" || len(words) == 4 && words[3] != "checksums" {
		return errors.New("want NAME driver DRIVER [checksums]")
	}
	if f.offloads == nil {
		f.offloads = map[string]Offload{}
	}
	f.offloads[words[0]] = Offload{Driver: words[2], Checksum: len(words) == 4}
	return nil
}

// A fakeEcho is what the echo service of an address does: "answers", "refuses", or, "",
// nothing.
type fakeEcho struct {
	addr     netip.Addr
	tcp, udp string
}

func (f *Fake) parseEcho(words []string) (err error) {
	if len(words) == 0 {
		return errors.New("want an address")
	}
	var e fakeEcho
	if e.addr, err = netip.ParseAddr(words[0]); err != nil {
		return err
	}
	for key, value := range pairs(words[1:], &err) {
		switch {
		case value != "answers" && value != "refuses":
			err = fmt.Errorf("a service answers or refuses, and not %q", value)
		case key == "tcp":
			e.tcp = value
		case key == "udp":
			e.udp = value
		default:
			err = fmt.Errorf("%s is no protocol of the echo service", key)
		}
	}
	f.echoes = append(f.echoes, e)
	return err
}

// Dial implements View. Addresses do as the statements "echoes" say; every other is
// silent, until ctx ends.
func (f *Fake) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.failure("Dial"); err != nil {
		return nil, err
	}
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, err
	}
	state := ""
	for _, e := range f.echoes {
		if e.addr == to.Addr() {
			state = map[string]string{"tcp": e.tcp, "udp": e.udp}[network]
		}
	}
	switch {
	case state == "refuses":
		return nil, fmt.Errorf("dial %s %s: %w", network, address, syscall.ECONNREFUSED)
	case state == "" && network == "tcp":
		<-ctx.Done()
		return nil, fmt.Errorf("dial %s %s: %w", network, address, os.ErrDeadlineExceeded)
	}
	return &fakeConn{answers: state == "answers", wake: make(chan struct{}, 1)}, nil
}

// A fakeConn answers what is written to it as an echo service of this project does.
type fakeConn struct {
	answers bool
	wake    chan struct{}

	mu     sync.Mutex
	read   bytes.Buffer
	closed bool
}

func (c *fakeConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.answers {
		c.read.Write(bytes.Replace(b, []byte("cni-guard ask"), []byte("cni-guard say"), 1))
		c.signal()
	}
	return len(b), nil
}

func (c *fakeConn) Read(b []byte) (int, error) {
	for {
		c.mu.Lock()
		if c.read.Len() > 0 {
			defer c.mu.Unlock()
			return c.read.Read(b)
		}
		closed := c.closed
		c.mu.Unlock()
		if closed {
			return 0, os.ErrDeadlineExceeded
		}
		<-c.wake
	}
}

func (c *fakeConn) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Close implements net.Conn, as SetDeadline in the past does.
func (c *fakeConn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.signal()
	return nil
}

func (c *fakeConn) SetDeadline(time.Time) error      { return c.Close() }
func (c *fakeConn) SetReadDeadline(time.Time) error  { return c.Close() }
func (c *fakeConn) SetWriteDeadline(time.Time) error { return nil }
func (c *fakeConn) LocalAddr() net.Addr              { return nil }
func (c *fakeConn) RemoteAddr() net.Addr             { return nil }

// A fakeHears is what the node at an outer address says of its end of a tunnel.
type fakeHears struct {
	outer netip.Addr
	mac   MAC
}

func (f *Fake) parseHears(words []string) error {
	if len(words) != 3 || words[1] != "mac" {
		return errors.New("want ADDR mac MAC")
	}
	outer, err := netip.ParseAddr(words[0])
	if err != nil {
		return err
	}
	mac, err := parseMAC(words[2])
	f.hears = append(f.hears, fakeHears{outer, mac})
	return err
}

// AskMAC implements View. The statements "hears" say who answers.
func (f *Fake) AskMAC(_ context.Context, questions []MACQuestion) ([]MAC, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	macs := make([]MAC, len(questions))
	if err := f.failure("AskMAC"); err != nil {
		return macs, err
	}
	for i, q := range questions {
		for _, h := range f.hears {
			if h.outer == q.Outer {
				macs[i] = h.mac
			}
		}
	}
	return macs, nil
}

// writePaths prints what has to do with tunnels but is in no table.
func (f *Fake) writePaths(b *strings.Builder) {
	for _, name := range slices.Sorted(maps.Keys(f.offloads)) {
		fmt.Fprintf(b, "offload %s driver %s", name, f.offloads[name].Driver)
		if f.offloads[name].Checksum {
			b.WriteString(" checksums")
		}
		b.WriteString("\n")
	}
	for _, e := range f.echoes {
		fmt.Fprintf(b, "echoes %s", e.addr)
		for _, p := range [][2]string{{"tcp", e.tcp}, {"udp", e.udp}} {
			if p[1] != "" {
				fmt.Fprintf(b, " %s %s", p[0], p[1])
			}
		}
		b.WriteString("\n")
	}
	for _, h := range f.hears {
		fmt.Fprintf(b, "hears %s mac %s\n", h.outer, h.mac)
	}
}

// refusal is "port unreachable", which quotes the outer packet of a tunnel.
func (p ping) refusal(six bool) []byte {
	kind, code := byte(3), byte(3)
	protocol := 8 + 9 // in the quoted header
	if six {
		kind, code, protocol = 1, 4, 8+6
	}
	message := ICMPError(kind, code, p.outer, make([]byte, 8))
	message[protocol] = 17
	binary.BigEndian.PutUint16(message[len(message)-6:], p.port)
	return message
}
