// SPDX-License-Identifier: Apache-2.0

package tunnel_test

import (
	"encoding/binary"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"testing"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/pkg/checktest"
)

// A responder answers echo requests in the place of the kernel of the far node.
type responder struct {
	t       *testing.T
	asked   *os.File         // gets the requests
	sockets map[string]int   // by the address that they send from
	answer  func(r *request) // what it makes of one
	last    string           // the address whose requests get the right answer
}

// A request is one that came in.
type request struct {
	echo []byte
	from unix.SockaddrInet4
	to   netip.Addr
	r    *responder
}

// reply sends a message from an address of the far node, with a right checksum.
func (q *request) reply(from string, message []byte) {
	message = slices.Clone(message)
	message[2], message[3] = 0, 0
	var sum uint32
	for i := 0; i+1 < len(message); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(message[i:]))
	}
	if len(message)%2 == 1 {
		sum += uint32(message[len(message)-1]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(message[2:], ^uint16(sum))
	if err := unix.Sendto(q.r.sockets[from], message, 0, &q.from); err != nil {
		q.r.t.Errorf("answer from %s: %v", from, err)
	}
}

// changed returns the right answer with one byte added to.
func (q *request) changed(at int) []byte {
	message := slices.Clone(q.echo)
	message[0] = 0
	message[at]++
	return message
}

// right returns the right answer.
func (q *request) right() []byte { return append([]byte{0}, q.echo[1:]...) }

// respond has the far node answer by a function, until the test ends, but rightly at
// the last of its addresses.
func respond(t *testing.T, answer func(*request), addrs ...string) {
	t.Helper()
	checktest.Shell(t, "ip netns exec far sh -c 'echo 1 >/proc/sys/net/ipv4/icmp_echo_ignore_all'")
	r := &responder{t: t, sockets: map[string]int{}, answer: answer, last: addrs[len(addrs)-1]}
	ready := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread stays in the far node
		ready <- r.open(addrs)
	}()
	if err := <-ready; err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.run()
	}()
	t.Cleanup(func() {
		r.asked.Close()
		<-ended
		for _, fd := range r.sockets {
			unix.Close(fd)
		}
	})
}

func (r *responder) open(addrs []string) error {
	far, err := netns.GetFromPath("/run/netns/far")
	if err != nil {
		return err
	}
	defer far.Close()
	if err := netns.Set(far); err != nil {
		return err
	}
	asked, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_ICMP)
	if err != nil {
		return err
	}
	r.asked = os.NewFile(uintptr(asked), "requests")
	for _, addr := range addrs {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMP)
		if err == nil {
			err = unix.Bind(fd, &unix.SockaddrInet4{Addr: netip.MustParseAddr(addr).As4()})
		}
		if err != nil {
			return err
		}
		r.sockets[addr] = fd
	}
	return nil
}

func (r *responder) run() {
	buffer := make([]byte, 1<<16)
	for {
		n, err := r.asked.Read(buffer)
		if err != nil {
			return
		}
		if n > 28 && buffer[20] == 8 {
			q := &request{echo: slices.Clone(buffer[20:n]), to: netip.AddrFrom4([4]byte(buffer[16:20])), r: r}
			copy(q.from.Addr[:], buffer[12:16])
			if q.to.String() == r.last {
				q.reply(r.last, q.right())
			} else {
				r.answer(q)
			}
		}
	}
}

// Whoever sends what it likes: only the right answer is one.
func TestProbeHostileAnswers(t *testing.T) {
	const asked, other, last = "10.244.1.0", "10.244.1.9", "10.244.1.200"
	right := (*request).right
	errorAbout := func(q *request, dst [4]byte) []byte {
		message := make([]byte, 8+20, 128)
		message[0], message[1] = 3, 1
		message[8], message[17] = 0x45, 1
		copy(message[24:28], dst[:])
		return append(message, q.echo...)
	}
	for name, c := range map[string]struct {
		answer func(*request)
		want   string
		from   []string // where those of its answers come from that reach the socket
	}{
		"the right one": {func(q *request) { q.reply(asked, right(q)) }, "answered by 10.244.1.0", []string{asked}},
		"the right one, often": {func(q *request) {
			for range 50 {
				q.reply(asked, right(q))
			}
		}, "answered by 10.244.1.0", []string{asked}},
		"another identifier":   {func(q *request) { q.reply(asked, q.changed(5)) }, "silent", []string{asked}},
		"another sequence":     {func(q *request) { q.reply(asked, q.changed(7)) }, "silent", []string{asked}},
		"another nonce":        {func(q *request) { q.reply(asked, q.changed(9)) }, "silent", []string{asked}},
		"another try":          {func(q *request) { q.reply(asked, q.changed(16)) }, "silent", []string{asked}},
		"no end":               {func(q *request) { q.reply(asked, right(q)[:12]) }, "silent", []string{asked}},
		"more than was asked":  {func(q *request) { q.reply(asked, append(right(q), 0)) }, "silent", []string{asked}},
		"another type":         {func(q *request) { q.reply(asked, append([]byte{14}, q.echo[1:]...)) }, "silent", nil}, // the socket's filter drops it
		"from another address": {func(q *request) { q.reply(other, right(q)) }, "silent by 10.244.1.9 (another address answered in its place)", []string{other}},
		"from another address, and then the right one": {func(q *request) {
			q.reply(other, right(q))
			q.reply(asked, right(q))
		}, "answered by 10.244.1.0", []string{asked, other}},
		"64 KiB of garbage": {func(q *request) { q.reply(asked, make([]byte, 65000)) }, "silent", []string{asked}},
		"64 KiB of garbage, and then the right one": {func(q *request) {
			for range 10 {
				q.reply(asked, append(right(q), make([]byte, 65000)...))
			}
			q.reply(asked, right(q))
		}, "answered by 10.244.1.0", []string{asked}},
		"an error about this":          {func(q *request) { q.reply(other, errorAbout(q, [4]byte{10, 244, 1, 0})) }, "unreachable by 10.244.1.9 (no route to the host)", []string{other}},
		"an error about somebody else": {func(q *request) { q.reply(other, errorAbout(q, [4]byte{10, 244, 1, 7})) }, "silent", []string{other}},
		"an error, and then the right one": {func(q *request) {
			q.reply(other, errorAbout(q, [4]byte{10, 244, 1, 0}))
			q.reply(asked, right(q))
		}, "answered by 10.244.1.0", []string{asked, other}},
		"the right one, and then an error": {func(q *request) {
			q.reply(asked, right(q))
			q.reply(other, errorAbout(q, [4]byte{10, 244, 1, 0}))
		}, "answered by 10.244.1.0", []string{asked, other}},
	} {
		t.Run(name, func(t *testing.T) {
			view := near(t, "ip -n far address add 10.244.1.9/32 dev flannel.1\nip -n far address add 10.244.1.200/32 dev flannel.1\n")
			respond(t, c.answer, asked, other, last)
			// Each is awaited: packets of two processors can overtake one another.
			answers := probe(t, view, peersAt(asked, last), append(c.from, last)...)
			if got := sayOnce(answers[0]); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}
