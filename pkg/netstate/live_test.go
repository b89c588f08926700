// SPDX-License-Identifier: Apache-2.0

package netstate_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// view opens the view of a sandbox, and closes it with the test.
func view(t testing.TB, n *netstate.Netns) *netstate.Live {
	t.Helper()
	v, err := n.View()
	must(t, err)
	netstate.AskWireGuard(v)
	t.Cleanup(v.Close)
	return v
}

// node opens the view of the private node.
func node(t testing.TB) *netstate.Live {
	t.Helper()
	checktest.PrivateNode(t)
	v, err := netstate.OpenNode()
	must(t, err)
	t.Cleanup(v.Close)
	return v
}

func prefixes(texts ...string) []netip.Prefix {
	var ps []netip.Prefix
	for _, text := range texts {
		ps = append(ps, netip.MustParsePrefix(text))
	}
	return ps
}

func TestLiveLinks(t *testing.T) {
	n := sandbox(t, "links")
	checktest.Shell(t, `
ip -n links link add eth0 index 30 type veth peer name peer0 index 20
ip -n links link set eth0 address 0a:58:0a:f4:01:07
ip -n links link set eth0 up
ip -n links link add eth0.100 index 10 type veth peer name peer1 index 301
ip -n links link add br0 index 300 type bridge
`)
	links, err := view(t, n).Links()
	must(t, err)
	var got []string
	for _, l := range links {
		mac := ""
		if l.Name == "eth0" || l.Name == "lo" { // of the others the kernel chooses one
			mac = l.MAC.String()
		}
		got = append(got, strings.TrimSpace(fmt.Sprintf("%d %s %s %t %s", l.Index, l.Name, l.Kind, l.Up, mac)))
	}
	want := []string{ // in the order of their index
		"1 lo  false", // the MAC of lo is all zeros, which is none
		"10 eth0.100 veth false",
		"20 peer0 veth false",
		"30 eth0 veth true 0a:58:0a:f4:01:07",
		"300 br0 bridge false",
		"301 peer1 veth false",
	}
	// A kernel with ipip adds tunl0 to each namespace.
	got = slices.DeleteFunc(got, func(l string) bool { return strings.Contains(l, " tunl0 ") })
	if !slices.Equal(got, want) {
		t.Errorf("links are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestLiveLink(t *testing.T) {
	v := view(t, sandbox(t, "link"))
	checktest.Shell(t, "ip -n link link add eth0 index 7 type veth peer name peer0; ip -n link link set eth0 up")
	link, err := v.Link("eth0")
	must(t, err)
	if link.Name != "eth0" || link.Index != 7 || link.Kind != "veth" || !link.Up || len(link.MAC) != 6 {
		t.Errorf("eth0 is %+v", link)
	}
	for name, ask := range map[string]func(string) error{
		"Link":    func(link string) error { _, err := v.Link(link); return err },
		"Addrs":   func(link string) error { _, err := v.Addrs(link); return err },
		"SetUp":   v.SetUp,
		"AddAddr": func(link string) error { return v.AddAddr(link, prefixes("10.0.0.1/8")[0]) },
	} {
		if err := ask("eth9"); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "eth9") {
			t.Errorf("%s of a link that is not there: %v, want fs.ErrNotExist that names it", name, err)
		}
	}
}

func TestLiveAddrs(t *testing.T) {
	v := view(t, sandbox(t, "addrs"))
	checktest.Shell(t, `
ip -n addrs link set lo up
ip -n addrs link add eth0 type veth peer name peer0
ip -n addrs link set eth0 up
ip -n addrs link set eth0 addrgenmode none
ip -n addrs address flush dev eth0
ip -n addrs address add 10.244.1.7/24 dev eth0
ip -n addrs address add 10.244.1.8/32 dev eth0
ip -n addrs address add 10.9.0.1 peer 10.9.0.2/32 dev eth0
ip -n addrs address add fd00:10:244::7/64 dev eth0 nodad
ip -n addrs address add fd00:9::1 peer fd00:9::2/128 dev eth0 nodad
`)
	for link, want := range map[string][]netip.Prefix{
		"lo":    prefixes("127.0.0.1/8", "::1/128"),
		"eth0":  prefixes("10.244.1.7/24", "10.244.1.8/32", "10.9.0.1/32", "fd00:10:244::7/64", "fd00:9::1/128"),
		"peer0": nil,
	} {
		got, err := v.Addrs(link)
		must(t, err)
		slices.SortFunc(got, netip.Prefix.Compare)
		slices.SortFunc(want, netip.Prefix.Compare)
		if !slices.Equal(got, want) {
			t.Errorf("addresses of %s are %v, want %v", link, got, want)
		}
	}
}

// crowd adds many addresses to a link that nobody asks about.
func crowd(t testing.TB, in string, addresses int) {
	t.Helper()
	var batch strings.Builder
	fmt.Fprintln(&batch, "link set lo up")
	fmt.Fprintln(&batch, "link add crowd type veth peer name crowd0")
	for i := range addresses {
		fmt.Fprintf(&batch, "address add 10.7.%d.%d/32 dev crowd\n", i/250, i%250+1)
	}
	cmd := exec.Command("ip", "-n", in, "-batch", "-")
	cmd.Stdin = strings.NewReader(batch.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("add %d addresses: %v: %s", addresses, err, out)
	}
}

// The addresses of lo are those of lo, whether or not the kernel filters.
func TestLiveAddrsOfOneLinkInACrowd(t *testing.T) {
	v := view(t, sandbox(t, "crowd"))
	crowd(t, "crowd", 700)
	if !v.Strict() {
		t.Error("this kernel does not filter address dumps; is it older than 4.20?")
	}
	want := prefixes("127.0.0.1/8", "::1/128")
	for range 2 {
		got, err := v.Addrs("lo")
		must(t, err)
		if !slices.Equal(got, want) {
			t.Errorf("strict %t: addresses of lo are %v, want %v", v.Strict(), got, want)
		}
		must(t, v.ForgetStrict())
	}
}

func TestLiveRoutes(t *testing.T) {
	v := view(t, sandbox(t, "routes"))
	checktest.Shell(t, `
ip -n routes link add eth0 type veth peer name peer0
ip -n routes link set eth0 addrgenmode none
ip -n routes link set peer0 addrgenmode none up
ip -n routes link set eth0 up
ip -n routes address add 10.244.1.7/24 dev eth0
ip -n routes address add fd00:10:244::7/64 dev eth0 nodad
ip -n routes route add default via 10.244.1.1 dev eth0
ip -n routes route add 10.245.0.0/26 via 10.244.1.2 dev eth0 onlink proto 80
ip -n routes route add blackhole 10.246.0.0/16 proto 80
ip -n routes route add default via fd00:10:244::1 dev eth0
ip -n routes route add 10.250.0.0/16 dev eth0 table 100
ip -n routes route add 10.247.0.0/16 proto 12 nexthop via 10.244.1.2 dev eth0 nexthop dev eth0
ip -n routes route add 10.248.0.0/16 via inet6 fd00:10:244::2 dev eth0
ip -n routes route add fd00:10:247::/64 nexthop via fd00:10:244::2 dev eth0 nexthop via fd00:10:244::3 dev eth0
`)
	routes, err := v.Routes()
	must(t, err)
	var got []string
	for _, r := range routes {
		got = append(got, fmt.Sprintf("%v %v %s %d", r.Dst, r.Gateway, r.Link, r.Protocol))
	}
	slices.Sort(got)
	want := []string{
		"10.244.1.0/24 invalid IP eth0 2",
		"10.245.0.0/26 10.244.1.2 eth0 80",
		"10.246.0.0/16 invalid IP  80",
		"10.247.0.0/16 10.244.1.2 eth0 12",
		"10.247.0.0/16 invalid IP eth0 12",
		"10.248.0.0/16 fd00:10:244::2 eth0 3",
		"fd00:10:244::/64 invalid IP eth0 2",
		"fd00:10:247::/64 fd00:10:244::2 eth0 3",
		"fd00:10:247::/64 fd00:10:244::3 eth0 3",
		"invalid Prefix 10.244.1.1 eth0 3",
		"invalid Prefix fd00:10:244::1 eth0 3",
	}
	if !slices.Equal(got, want) {
		t.Errorf("routes are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestLiveSysctl(t *testing.T) {
	n := sandbox(t, "sysctl")
	v := view(t, n)
	checktest.Shell(t, `
ip -n sysctl link add eth0 type veth peer name eth0.100
ip netns exec sysctl sh -c "echo 1 >/proc/sys/net/ipv4/conf/eth0.100/forwarding"
`)
	for name, want := range map[string]string{
		"net/ipv4/conf/eth0.100/forwarding": "1", // the dot belongs to the interface
		"net/ipv4/conf/eth0/forwarding":     "0",
	} {
		if got, err := v.Sysctl(name); err != nil || got != want {
			t.Errorf("%s = %q, error %v, want %q", name, got, err, want)
		}
	}
	const name = "net/ipv4/conf/eth0.100/rp_filter"
	must(t, v.SetSysctl(name, "2"))
	if got, err := v.Sysctl(name); err != nil || got != "2" {
		t.Errorf("after it was set %s = %q, error %v", name, got, err)
	}
	if err := v.SetSysctl(name, "nonsense"); err == nil {
		t.Error("the kernel takes nonsense")
	}
	for _, name := range []string{"net/ipv4/nothing", "net/ipv4/conf/eth9/forwarding"} {
		_, err := v.Sysctl(name)
		if setErr := v.SetSysctl(name, "1"); !errors.Is(err, fs.ErrNotExist) || !errors.Is(setErr, fs.ErrNotExist) {
			t.Errorf("%s is not there: errors %v and %v, want fs.ErrNotExist", name, err, setErr)
		}
	}
	// A pod may name its interface as it likes, but it cannot leave /proc/sys.
	for _, name := range []string{"../version", "net/ipv4/conf/../../../../version", "/proc/version", ""} {
		value, err := v.Sysctl(name)
		if setErr := v.SetSysctl(name, "1"); err == nil || setErr == nil {
			t.Errorf("%q leads to %q, errors %v and %v", name, value, err, setErr)
		}
	}
}

// A sysctl may be as long as one read.
func TestLiveLongSysctl(t *testing.T) {
	v := view(t, sandbox(t, "long"))
	for _, more := range []int{6, 7} { // 505 and, with the newline, 512 bytes
		var ports []string
		for i := range 94 {
			ports = append(ports, strconv.Itoa(1001+2*i)) // not adjacent, as the kernel would write a range
		}
		for i := range more {
			ports = append(ports, strconv.Itoa(10001+2*i))
		}
		want := strings.Join(ports, ",")
		must(t, v.SetSysctl("net/ipv4/ip_local_reserved_ports", want))
		if got, err := v.Sysctl("net/ipv4/ip_local_reserved_ports"); err != nil || got != want {
			t.Errorf("%d bytes were written, and read as %q, %v", len(want), got, err)
		}
	}
}

// What is done to a sandbox is done there, and nothing is done to the node.
func TestLiveChangesSandboxOnly(t *testing.T) {
	own := node(t)
	v := view(t, sandbox(t, "change"))
	checktest.Shell(t, "ip link set lo down; ip address flush dev lo")
	t.Cleanup(func() { checktest.Shell(t, "ip link set lo up") })

	must(t, v.SetUp("lo"))
	must(t, v.SetUp("lo")) // is up
	extra := prefixes("10.9.9.9/32")[0]
	must(t, v.AddAddr("lo", extra))
	must(t, v.AddAddr("lo", extra)) // is there
	must(t, v.SetSysctl("net/ipv4/ip_forward", "1"))

	lo, err := v.Link("lo")
	must(t, err)
	addrs, err := v.Addrs("lo")
	must(t, err)
	forward, err := v.Sysctl("net/ipv4/ip_forward")
	must(t, err)
	if !lo.Up || forward != "1" || !slices.Equal(addrs, prefixes("127.0.0.1/8", "10.9.9.9/32", "::1/128")) {
		t.Errorf("the sandbox has lo %+v, addresses %v, ip_forward %s", lo, addrs, forward)
	}
	lo, err = own.Link("lo")
	must(t, err)
	addrs, err = own.Addrs("lo")
	must(t, err)
	forward, err = own.Sysctl("net/ipv4/ip_forward")
	must(t, err)
	if lo.Up || forward != "0" || len(addrs) > 0 {
		t.Errorf("the node has lo %+v, addresses %v, ip_forward %s", lo, addrs, forward)
	}
}

// All methods may be called at once; run it with -race.
func TestLiveConcurrently(t *testing.T) {
	v := view(t, sandbox(t, "many"))
	checktest.Shell(t, "ip -n many link set lo up")
	everywhere(func() {
		_, linkErr := v.Link("lo")
		_, linksErr := v.Links()
		addrs, addrsErr := v.Addrs("lo")
		_, routesErr := v.Routes()
		_, sysctlErr := v.Sysctl("net/ipv4/ip_forward")
		cookieOf(t, v)
		if err := errors.Join(linkErr, linksErr, addrsErr, routesErr, sysctlErr, v.SetUp("lo")); err != nil {
			t.Error(err)
		}
		if len(addrs) != 2 {
			t.Errorf("addresses of lo are %v", addrs)
		}
	})
}

// Close of the descriptor ends what needs it, with an error, and nothing else.
func TestLiveAfterClose(t *testing.T) {
	n := netstate.OpenNetns(checktest.Sandbox(t, "closed"))
	v := view(t, n)
	must(t, n.Close())
	if _, err := v.Link("lo"); err != nil {
		t.Errorf("Link: %v", err)
	}
	if value, err := v.Sysctl("net/ipv4/ip_forward"); err == nil {
		t.Errorf("Sysctl returns %q of a namespace that is closed", value)
	}
	if _, err := n.Cookie(); err == nil {
		t.Error("Cookie returns no error for a namespace that is closed")
	}
}

// A View waits for an answer for a second, and no longer than until its deadline.
func TestDeadline(t *testing.T) {
	var l netstate.Live
	if got := l.Patience(); got != time.Second {
		t.Errorf("without a deadline it waits for %v", got)
	}
	for left, want := range map[time.Duration][2]time.Duration{
		time.Hour:              {time.Second, time.Second},
		500 * time.Millisecond: {time.Millisecond, 500 * time.Millisecond},
		-time.Hour:             {time.Millisecond, time.Millisecond},
	} {
		l.SetDeadline(time.Now().Add(left))
		if got := l.Patience(); got < want[0] || got > want[1] {
			t.Errorf("%v before its deadline it waits for %v, want %v to %v", left, got, want[0], want[1])
		}
	}
}
