// SPDX-License-Identifier: Apache-2.0

package tunnel

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// asked is a prober that has asked one address of each family.
func asked() *prober {
	p := newProber([]Peer{{Probed: netip.MustParseAddr("10.0.0.1")}, {Probed: netip.MustParseAddr("fd00::1")}}, ProbeOptions{})
	p.id, p.nonce = 0x1234, 0x1122334455667788
	p.expect(first)
	for i := range p.targets {
		p.targets[i].sent[first] = time.Now()
		p.groups[i].state = Silent
	}
	return p
}

func requestTo(p *prober, seq int) []byte {
	message := make([]byte, requestLen)
	p.writeRequest(message, p.targets[seq].addr, uint16(seq), first)
	return message
}

// Whatever comes in: only what has the nonce in it is an answer.
func FuzzReceived(f *testing.F) {
	p := asked()
	four, six := requestTo(p, 0), requestTo(p, 1)
	f.Add(append([]byte{echoReply4}, four[1:]...), false)
	f.Add(append([]byte{echoReply6}, six[1:]...), true)
	f.Add(quoting4(four), false)
	f.Add(append(append([]byte{unreachable6, 0, 0, 0, 0, 0, 0, 0, 0x60, 0, 0, 0, 0, 0, 58}, make([]byte, 33)...), six...), true)
	f.Fuzz(func(t *testing.T, message []byte, six bool) {
		p := asked()
		from := netip.MustParseAddr(map[bool]string{false: "10.0.0.1", true: "fd00::1"}[six])
		p.handle(slices.Clone(message), netstate.Sender{Addr: from}, six, time.Now())
		for i, g := range p.groups {
			if g.state.Confirms() && !slices.Equal(message[4:signatureAt], requestTo(p, i)[4:signatureAt]) {
				t.Errorf("%x is taken for an answer of %s", message, p.targets[i].addr)
			}
		}
	})
}

// quoting4 is an error about a request to 10.0.0.1.
func quoting4(request []byte) []byte {
	message := append([]byte{unreachable4, 1, 0, 0, 0, 0, 0, 0}, make([]byte, 20)...)
	message[8], message[17] = 0x45, 1
	copy(message[24:28], []byte{10, 0, 0, 1})
	return append(message, request...)
}

// Routers quote as little as eight bytes, or an IP header with options.
func TestQuotes(t *testing.T) {
	p := asked()
	request := requestTo(p, 0)
	options := slices.Insert(quoting4(request), 28, 1, 1, 1, 1)
	options[8]++ // the length of the header
	other := quoting4(request)
	other[17] = 6
	for name, c := range map[string]struct {
		message []byte
		want    State
	}{
		"in full":                   {quoting4(request), Unreachable},
		"eight bytes":               {quoting4(request[:8]), Unreachable},
		"seven bytes":               {quoting4(request[:7]), Silent},
		"an IP header only":         {quoting4(nil), Silent},
		"options":                   {options, Unreachable},
		"another protocol":          {other, Silent},
		"time exceeded":             {append([]byte{timeExceeded4}, quoting4(request)[1:]...), Unreachable},
		"redirect":                  {append([]byte{5}, quoting4(request)[1:]...), Silent},
		"another's request":         {quoting4(append([]byte{8, 0, 0, 0, 9, 9}, request[6:]...)), Silent},
		"our answer, not a request": {quoting4(append([]byte{0}, request[1:]...)), Silent},
	} {
		p := asked()
		p.handle(c.message, netstate.Sender{Addr: netip.MustParseAddr("192.0.2.1")}, false, time.Now())
		if got := p.groups[0].state; got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// In no second do more packets leave than the limit, wherever it begins; and a
// burst within the limit leaves at once.
func TestPace(t *testing.T) {
	for name, spent := range map[string]int{"rested": 0, "half spent": 50} {
		start := time.Now()
		p := newPacer(100, SendBudget{At: start, Packets: spent})
		left := slices.Repeat([]time.Time{start}, spent)
		now := start
		for range 1000 {
			now = now.Add(p.delay(now))
			p.record(now)
			left = append(left, now)
		}
		for i := 100; i < len(left); i++ {
			if left[i].Sub(left[i-100]) < time.Second {
				t.Fatalf("%s: packet %d leaves %v after packet %d", name, i, left[i].Sub(left[i-100]), i-100)
			}
		}
		if left[99] != start {
			t.Errorf("%s: the burst does not leave at once", name)
		}
		if most := time.Duration(10) * time.Second; now.Sub(start) > most {
			t.Errorf("%s: 1,000 packets take %v", name, now.Sub(start))
		}
	}
}

// Batches that follow each other count together.
func TestSpent(t *testing.T) {
	now := time.Now()
	s := SendBudget{}.spend(5, now).spend(7, now.Add(999*time.Millisecond))
	if s.Packets != 12 {
		t.Errorf("%d packets within a second, want 12", s.Packets)
	}
	if s = s.spend(1, s.At.Add(time.Second)); s.Packets != 1 {
		t.Errorf("%d packets a second later, want 1", s.Packets)
	}
}
