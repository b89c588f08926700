// SPDX-License-Identifier: Apache-2.0

package firewall_test

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/firewall"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// The node is between two namespaces, left and right.
const topology = `
for side in left right; do ip netns add $side; done
ip link add l0 address 02:00:00:00:01:01 type veth peer name eth0 address 02:00:00:00:01:02 netns left
ip link add r0 address 02:00:00:00:02:01 type veth peer name eth0 address 02:00:00:00:02:02 netns right
ip address add 10.1.0.1/24 dev l0
ip address add 10.2.0.1/24 dev r0
ip link set l0 up
ip link set r0 up
ip -n left address add 10.1.0.2/24 dev eth0
ip -n right address add 10.2.0.2/24 dev eth0
for side in left right; do ip -n $side link set lo up; ip -n $side link set eth0 up; done
ip -n left route add default via 10.1.0.1
ip -n right route add default via 10.2.0.1
sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.l0.rp_filter=0
ip neigh replace 10.1.0.2 lladdr 02:00:00:00:01:02 dev l0
ip neigh replace 10.2.0.2 lladdr 02:00:00:00:02:02 dev r0
ip -n left neigh replace 10.1.0.1 lladdr 02:00:00:00:01:01 dev eth0
`

// A shot is a packet that is sent, and what it is for the judge.
type shot struct {
	name     string
	from     string // "left" or "node"
	src, dst string
	packet   firewall.Packet
}

func shots() []shot {
	prefix := netip.MustParsePrefix
	left, right := firewall.Interface{Name: "l0"}, firewall.Interface{Name: "r0"}
	in := func(proto uint8, sport, dport uint16) firewall.Packet {
		return firewall.Packet{Hook: firewall.Input, In: left, Src: prefix("10.1.0.2/32"), Dst: prefix("10.1.0.1/32"), Protocol: proto, SrcPort: sport, DstPort: dport}
	}
	through := func(proto uint8, dport uint16) firewall.Packet {
		return firewall.Packet{Hook: firewall.Forward, In: left, Out: right, Src: prefix("10.1.0.2/32"), Dst: prefix("10.2.0.2/32"), Protocol: proto, SrcPort: 40000, DstPort: dport}
	}
	out := func(proto uint8, dport uint16) firewall.Packet {
		return firewall.Packet{Hook: firewall.Output, Out: left, Src: prefix("10.1.0.1/32"), Dst: prefix("10.1.0.2/32"), Protocol: proto, SrcPort: 40000, DstPort: dport}
	}
	zero := uint32(0)
	established := in(17, 41000, 8473)
	established.States = []firewall.State{firewall.Established}
	all := []shot{
		{"vxlan in", "left", "10.1.0.2", "10.1.0.1", in(17, 40000, 8472)},
		{"ipip in", "left", "10.1.0.2", "10.1.0.1", in(4, 0, 0)},
		{"established in", "left", "10.1.0.2", "10.1.0.1", established},
		{"tcp in", "left", "10.1.0.2", "10.1.0.1", in(6, 40001, 80)},
		{"tcp through", "left", "10.1.0.2", "10.2.0.2", through(6, 80)},
		{"udp through", "left", "10.1.0.2", "10.2.0.2", through(17, 53)},
		{"vxlan out", "node", "10.1.0.1", "10.1.0.2", out(17, 8472)},
		{"gre out", "node", "10.1.0.1", "10.1.0.2", out(47, 0)},
	}
	for i := range all {
		all[i].packet.Mark = &zero
	}
	return all
}

// bytes builds the packet with an IP ID.
func (s shot) bytes(id uint16) []byte {
	var body []byte
	switch s.packet.Protocol {
	case 17:
		body = make([]byte, 16)
		binary.BigEndian.PutUint16(body, s.packet.SrcPort)
		binary.BigEndian.PutUint16(body[2:], s.packet.DstPort)
		binary.BigEndian.PutUint16(body[4:], 16)
	case 6:
		body = make([]byte, 20)
		binary.BigEndian.PutUint16(body, s.packet.SrcPort+id) // a connection of its own
		binary.BigEndian.PutUint16(body[2:], s.packet.DstPort)
		body[12], body[13] = 5<<4, 2
		binary.BigEndian.PutUint16(body[14:], 1024)
	case 47:
		body = []byte{0, 0, 8, 0, 0x45}
	default:
		body = make([]byte, 20)
		body[0] = 0x45
	}
	src, dst := netip.MustParseAddr(s.src).As4(), netip.MustParseAddr(s.dst).As4()
	if s.packet.Protocol == 6 {
		pseudo := append(append(append([]byte{}, src[:]...), dst[:]...), 0, 6, 0, byte(len(body)))
		binary.BigEndian.PutUint16(body[16:], checksum(append(pseudo, body...)))
	}
	h := make([]byte, 20)
	h[0], h[8], h[9] = 0x45, 64, s.packet.Protocol
	binary.BigEndian.PutUint16(h[2:], uint16(20+len(body)))
	binary.BigEndian.PutUint16(h[4:], id)
	copy(h[12:], src[:])
	copy(h[16:], dst[:])
	binary.BigEndian.PutUint16(h[10:], checksum(h))
	return append(h, body...)
}

func checksum(b []byte) uint16 {
	sum := uint32(0)
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	if len(b)%2 == 1 {
		sum += uint32(b[len(b)-1]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// senderEnv marks the process that sends what it reads, a packet in hexadecimal a line.
const senderEnv = "FIREWALL_TEST_SENDER"

func TestMain(m *testing.M) {
	if os.Getenv(senderEnv) != "" {
		if err := send(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func send(in io.Reader, out io.Writer) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_RAW)
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		var b []byte
		if _, err := fmt.Sscanf(lines.Text(), "%x", &b); err != nil {
			return err
		}
		to := &unix.SockaddrInet4{Addr: [4]byte(b[16:20])}
		_ = unix.Sendto(fd, b, 0, to) // EPERM: a rule dropped it
		if _, err := fmt.Fprintln(out, "sent"); err != nil {
			return err
		}
	}
	return lines.Err()
}

// A sender sends packets from a namespace.
type sender struct {
	in  io.WriteCloser
	out *bufio.Reader
}

func newSender(t *testing.T, netns string) *sender {
	t.Helper()
	args := []string{os.Args[0]}
	if netns != "node" {
		args = []string{"ip", "netns", "exec", netns, os.Args[0]}
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), senderEnv+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	return &sender{in, bufio.NewReader(out)}
}

func (s *sender) send(t *testing.T, packet []byte) {
	t.Helper()
	_, err := fmt.Fprintf(s.in, "%x\n", packet)
	must(t, err)
	_, err = s.out.ReadString('\n')
	must(t, err)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// markerID is the IP ID of the packet that shows that all before it were processed.
const markerID = 999

// probeTable counts what comes and what passes, before and behind all other rules.
func probeTable(n int) string {
	var b strings.Builder
	b.WriteString("table inet zz_probe {\n")
	fmt.Fprintf(&b, "counter marker {}\n")
	for i := range n {
		fmt.Fprintf(&b, "counter came%d {}\ncounter passed%d {}\n", i, i)
	}
	for _, c := range []struct{ name, hook, priority, counter string }{
		{"c1", "prerouting", "-2147483648", "came"}, {"c2", "output", "-2147483648", "came"},
		{"p1", "input", "2147483647", "passed"}, {"p2", "postrouting", "2147483647", "passed"},
	} {
		fmt.Fprintf(&b, "chain %s { type filter hook %s priority %s;\n", c.name, c.hook, c.priority)
		for i := range n {
			fmt.Fprintf(&b, "ip id %d counter name %s%d\n", 1000+i, c.counter, i)
		}
		if c.name == "c1" {
			fmt.Fprintf(&b, "ip id %d counter name marker\n", markerID)
		}
		b.WriteString("}\n")
	}
	b.WriteString("chain track { type filter hook input priority 0; ct state invalid counter; }\n}\n")
	return b.String()
}

// counters returns how many packets each counter has.
func counters(t *testing.T) map[string]int {
	t.Helper()
	out, err := exec.Command("nft", "-j", "list", "counters").Output()
	must(t, err)
	var answer struct {
		NFTables []struct {
			Counter struct {
				Name    string
				Packets int
			}
		}
	}
	must(t, json.Unmarshal(out, &answer))
	all := map[string]int{}
	for _, o := range answer.NFTables {
		all[o.Counter.Name] = o.Counter.Packets
	}
	return all
}

// A shootingRange is where the packets fly.
type shootingRange struct {
	left, node *sender
	view       *netstate.Live
}

func newRange(t *testing.T) *shootingRange {
	checktest.PrivateNode(t)
	checktest.Shell(t, topology)
	t.Cleanup(func() {
		checktest.Shell(t, "nft flush ruleset; ip link del l0; ip link del r0; ip netns del left; ip netns del right")
	})
	view, err := netstate.OpenNode()
	must(t, err)
	t.Cleanup(view.Close)
	return &shootingRange{newSender(t, "left"), newSender(t, "node"), view}
}

// load loads rules: of nft, and of iptables-restore and iptables-legacy-restore.
func load(t *testing.T, program, text string, args ...string) {
	t.Helper()
	if out, err := tryLoad(program, text, args...); err != nil {
		t.Fatalf("%s: %v\n%s\n%s", program, err, out, text)
	}
}

func tryLoad(program, text string, args ...string) (string, error) {
	cmd := exec.Command(program, args...)
	cmd.Stdin = strings.NewReader(text)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// shoot sends every packet and returns which of them passed.
func (r *shootingRange) shoot(t *testing.T, all []shot) []bool {
	t.Helper()
	for i, s := range all {
		from := r.left
		if s.from == "node" {
			from = r.node
		}
		from.send(t, s.bytes(uint16(1000+i)))
	}
	marker := all[0]
	r.left.send(t, marker.bytes(markerID))
	var c map[string]int
	for deadline := time.Now().Add(2 * time.Minute); ; {
		c = counters(t)
		came := c["marker"] > 0
		for i := range all {
			came = came && c[fmt.Sprintf("came%d", i)] > 0
		}
		if came {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("not all packets arrive: %v", c)
		}
	}
	c = counters(t) // a packet that came was not yet through all chains, perhaps
	passed := make([]bool, len(all))
	for i := range all {
		passed[i] = c[fmt.Sprintf("passed%d", i)] > 0
	}
	return passed
}
