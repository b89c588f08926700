// SPDX-License-Identifier: Apache-2.0

package netstate_test

import (
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// The kernel's rules, read back, are those that ip rule was given.
func TestRulesOfTheKernel(t *testing.T) {
	for name, c := range map[string]struct{ setup, want string }{
		"as new": {"", ""},
		"pods of AWS": {"ip rule add pref 512 to 10.0.1.7 lookup main\nip rule add pref 1536 from 10.0.1.7 lookup 2\n",
			"rule 0 lookup 255\nrule 512 to 10.0.1.7/32 lookup 254\nrule 1536 from 10.0.1.7/32 lookup 2\nrule 32766 lookup 254\nrule 32767 lookup 253\n"},
		"WireGuard": {"ip rule add pref 100 lookup main suppress_prefixlength 0\nip -6 rule add pref 101 not fwmark 51820 lookup 51820\n",
			"rule 0 lookup 255\nrule 100 lookup 254 selective\nrule 32766 lookup 254\nrule 32767 lookup 253\nrule6 0 lookup 255\nrule6 101 lookup 51820 selective\nrule6 32766 lookup 254\n"},
		"conditions": {"ip rule add pref 10 iif lo lookup 7\nip rule add pref 11 ipproto 17 dport 53 lookup 7\nip rule add pref 12 from 10.1.0.0/16 blackhole\nip rule add pref 13 dsfield 0x10 lookup 7\n",
			"rule 0 lookup 255\nrule 10 lookup 7 selective\nrule 11 lookup 7 selective\nrule 12 from 10.1.0.0/16 blackhole\nrule 13 lookup 7 selective\nrule 32766 lookup 254\nrule 32767 lookup 253\n"},
		"VRFs": {"ip rule add pref 1000 l3mdev\nip -6 rule add pref 1000 l3mdev\n", "rule 0 lookup 255\nrule 1000 lookup 0 selective\nrule 32766 lookup 254\nrule 32767 lookup 253\nrule6 0 lookup 255\nrule6 1000 lookup 0 selective\nrule6 32766 lookup 254\n"},
		"Cilium": {"ip rule del pref 0\nip rule add pref 100 lookup local proto kernel\nip rule add pref 9 fwmark 0x200/0xf00 lookup 2004 proto 99\n",
			"rule 9 lookup 2004 proto 99 selective\nrule 100 lookup 255 proto 2\nrule 32766 lookup 254\nrule 32767 lookup 253\n"},
		"local lost": {"ip rule del pref 0\nip rule del pref 32766\n", "rule 32767 lookup 253\n"},
		"none":       {"ip -6 rule del pref 0\nip -6 rule del pref 32766\n", "rule6 none\n"},
	} {
		t.Run(name, func(t *testing.T) {
			of := view(t, sandbox(t, "rules"))
			checktest.Shell(t, strings.ReplaceAll(c.setup, "ip ", "ip -n rules "))
			got, err := of.Rules()
			must(t, err)
			want, err := parse(t, c.want).Rules()
			must(t, err)
			if !slices.Equal(got, want) {
				t.Errorf("the kernel has\n%v\nwant\n%v", got, want)
			}
		})
	}
}

func TestRuleForAll(t *testing.T) {
	some := netip.MustParsePrefix("10.0.0.0/8")
	for _, r := range []netstate.Rule{{Src: some}, {Dst: some}, {Selective: true}} {
		if r.ForAll() {
			t.Errorf("%v holds for every packet", r)
		}
	}
	if !(netstate.Rule{Action: "lookup", Table: netstate.TableLocal}).ForAll() {
		t.Error("the first rule of the kernel does not hold for every packet")
	}
}

func TestAllAddrs(t *testing.T) {
	of := view(t, sandbox(t, "addrs"))
	checktest.Shell(t, "ip -n addrs link set lo up\nip -n addrs link add eth0.100 index 9 type veth peer name other\nip -n addrs addr add 10.0.0.1/24 dev eth0.100\nip -n addrs addr add 10.0.0.2 peer 10.0.0.3/24 dev eth0.100\nip -n addrs addr add fd00::1/64 dev eth0.100\n")
	got, err := of.AllAddrs()
	must(t, err)
	want, err := parse(t, "link lo index 1\naddr 127.0.0.1/8 dev lo\nlink eth0.100 index 9\naddr 10.0.0.1/24 dev eth0.100\naddr 10.0.0.2/24 dev eth0.100\n").AllAddrs()
	must(t, err)
	for _, six := range []string{"::1/128 lo", "fd00::1/64 eth0.100"} {
		prefix, link, _ := strings.Cut(six, " ")
		want = append(want, netstate.LinkAddr{Link: link, Addr: netip.MustParsePrefix(prefix)})
	}
	if !slices.Equal(got, want) {
		t.Errorf("the kernel has %v, want %v", got, want)
	}
}

// A counter is that of the namespace, not of the process that asks.
func TestCounterOfTheKernel(t *testing.T) {
	n := sandbox(t, "counted")
	checktest.Shell(t, `
ip -n counted link set lo up
ip link add counting0 type veth peer name eth0 address 0a:58:0a:09:00:02 netns counted
ip addr add 10.9.0.1/24 dev counting0
ip addr add 10.8.0.1/32 dev counting0
ip link set counting0 up
ip neigh add 10.9.0.2 lladdr 0a:58:0a:09:00:02 dev counting0
ip -n counted addr add 10.9.0.2/24 dev eth0
ip -n counted link set eth0 up
ip netns exec counted sh -c 'for i in all eth0; do echo 1 >/proc/sys/net/ipv4/conf/$i/rp_filter; done'
`)
	t.Cleanup(func() { checktest.Shell(t, "ip link del counting0 2>/dev/null || true") })
	of := view(t, n)
	before, err := of.Counter("netstat/IPReversePathFilter")
	must(t, err)
	conn, err := net.DialUDP("udp", &net.UDPAddr{IP: net.IPv4(10, 8, 0, 1)}, &net.UDPAddr{IP: net.IPv4(10, 9, 0, 2), Port: 9})
	must(t, err)
	defer conn.Close()
	for range 3 {
		_, err = conn.Write([]byte("x"))
		must(t, err)
	}
	after, err := of.Counter("netstat/IPReversePathFilter")
	must(t, err)
	if after <= before {
		t.Errorf("packets from an address that is not routed back left the counter at %d", after)
	}
	for _, name := range []string{"netstat/NoSuchField", "no_such_file/x", "stat/nf_conntrack/no_such_field"} {
		if _, err := of.Counter(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("counter %s: error %v, want one that wraps fs.ErrNotExist", name, err)
		}
	}
}

func TestParseCounter(t *testing.T) {
	const netstat = "TcpExt: SyncookiesSent IPReversePathFilter\nTcpExt: 7 18\nIpExt: InNoRoutes InMcastPkts\nIpExt: 3 4\n"
	const stat = "entries  insert_failed drop\n0000000a 00000001 00000010\n0000000a 00000002 00000020\n"
	for _, c := range []struct {
		file, field, text string
		want              uint64
		fails             bool
	}{
		{"netstat", "IPReversePathFilter", netstat, 18, false},
		{"netstat", "InNoRoutes", netstat, 3, false},
		{"netstat", "TcpExt:", netstat, 0, true},
		{"netstat", "Missing", netstat, 0, true},
		{"netstat", "InNoRoutes", "IpExt: InNoRoutes\nIpExt:\n", 0, true},
		{"netstat", "InNoRoutes", "", 0, true},
		{"stat/nf_conntrack", "entries", stat, 10, false},
		{"stat/nf_conntrack", "drop", stat, 48, false},
		{"stat/nf_conntrack", "early_drop", stat, 0, true},
		{"stat/nf_conntrack", "drop", "entries drop\n0000000a\n", 0, true},
		{"stat/nf_conntrack", "drop", "entries drop\n1 xyz\n", 0, true},
		{"stat/nf_conntrack", "drop", "entries drop\n", 0, true},
	} {
		got, err := netstate.ParseCounter(c.file, c.field, c.text)
		if got != c.want || (err != nil) != c.fails {
			t.Errorf("%s of %s in %q is %d, %v, want %d, an error: %t", c.field, c.file, c.text, got, err, c.want, c.fails)
		}
	}
}

// Whatever a file says, the answer is a value or an error.
func FuzzParseCounter(f *testing.F) {
	f.Add("netstat", "a", "T: a\nT: 1\n")
	f.Add("stat/x", "entries", "entries\n0a\n")
	f.Fuzz(func(t *testing.T, file, field, text string) {
		_, _ = netstate.ParseCounter(file, field, text) // it must not panic
	})
}
