// SPDX-License-Identifier: Apache-2.0

package netstate_test

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// services are the chains that kube-proxy makes with iptables.
func services(six bool) netstate.Chain {
	return netstate.Chain{Six: six, Table: "nat", Name: "KUBE-SERVICES"}
}

// needsProgram skips the test where the machine lacks a program.
func needsProgram(t testing.TB, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		checktest.Lacking(t, "no "+name)
	}
}

func TestNFTChain(t *testing.T) {
	needsProgram(t, "nft")
	kernel := view(t, sandbox(t, "chains"))
	has := func(c netstate.Chain) bool {
		t.Helper()
		found, err := kernel.NFTChain(c)
		must(t, err)
		return found
	}
	proxy := netstate.Chain{Table: "kube-proxy", Name: "services"}
	if has(services(false)) || has(services(true)) || has(proxy) {
		t.Error("a namespace without tables has a chain")
	}
	checktest.Shell(t, `
ip netns exec chains nft add table ip nat
ip netns exec chains nft add chain ip nat KUBE-SERVICE
`)
	if has(services(false)) {
		t.Error("a table with another chain has the chain")
	}
	checktest.Shell(t, `
ip netns exec chains nft add chain ip nat KUBE-SERVICES
ip netns exec chains nft add table ip kube-proxy
ip netns exec chains nft add chain ip kube-proxy services
`)
	if !has(services(false)) || !has(proxy) {
		t.Error("the chains are not found")
	}
	if has(services(true)) {
		t.Error("the chain of IPv4 is found for IPv6")
	}
}

func TestLegacyChain(t *testing.T) {
	needsProgram(t, "iptables-legacy")
	kernel := view(t, sandbox(t, "chains"))
	has := func(six bool) bool {
		t.Helper()
		found, err := kernel.LegacyChain(services(six))
		must(t, err)
		return found
	}
	if has(false) || has(true) {
		t.Error("a namespace without tables has a chain")
	}
	out, err := exec.Command("ip", "netns", "exec", "chains", "cat", "/proc/net/ip_tables_names").Output()
	if err != nil || len(out) > 0 {
		t.Errorf("asking made the table: %q, %v", out, err)
	}
	for _, six := range []bool{false, true} {
		program := "iptables-legacy"
		if six {
			program = "ip6tables-legacy"
		}
		iptables := func(args string) {
			checktest.Shell(t, "ip netns exec chains "+program+" -w -t nat "+args)
		}
		iptables("-N A")
		iptables("-A PREROUTING -m comment --comment KUBE-SERVICES -j A")
		if has(six) {
			t.Error("a comment is found for a chain")
		}
		iptables("-N KUBE-SERVICES")
		iptables("-A PREROUTING -j KUBE-SERVICES")
		if !has(six) {
			t.Errorf("the chain of %s is not found", program)
		}
	}
}

func TestLegacyChainOfLargeTable(t *testing.T) {
	needsProgram(t, "iptables-legacy-restore")
	kernel := view(t, sandbox(t, "chains"))
	restore(t, 25000)
	if _, err := kernel.LegacyChain(services(false)); !errors.Is(err, netstate.ErrLargeTable) {
		t.Errorf("the error for a large table is %v", err)
	}
}

// restore makes a table with the chain KUBE-SERVICES and rules as kube-proxy's.
func restore(t testing.TB, rules int) {
	t.Helper()
	var b strings.Builder
	b.WriteString("*nat\n:KUBE-SERVICES - [0:0]\n")
	for i := range rules {
		fmt.Fprintf(&b, "-A KUBE-SERVICES -d 10.96.%d.%d/32 -p tcp -m tcp --dport 80 -j RETURN\n", i/250, i%250)
	}
	b.WriteString("COMMIT\n")
	cmd := exec.Command("ip", "netns", "exec", "chains", "iptables-legacy-restore", "-w")
	cmd.Stdin = strings.NewReader(b.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

func BenchmarkNFTChain(b *testing.B) {
	needsProgram(b, "nft")
	v := view(b, sandbox(b, "chains"))
	for b.Loop() {
		if _, err := v.NFTChain(services(false)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLegacyChain(b *testing.B) {
	needsProgram(b, "iptables-legacy-restore")
	for _, rules := range []int{10, 1000} {
		b.Run(fmt.Sprintf("rules=%d", rules), func(b *testing.B) {
			v := view(b, sandbox(b, "chains"))
			restore(b, rules)
			for b.Loop() {
				if found, err := v.LegacyChain(services(false)); err != nil || !found {
					b.Fatal(found, err)
				}
			}
		})
	}
}

func FuzzHasLegacyChain(f *testing.F) {
	f.Add(make([]byte, 176), false)
	f.Add(make([]byte, 200), true)
	f.Fuzz(func(t *testing.T, entries []byte, six bool) {
		if netstate.HasLegacyChain(entries, six, "KUBE-SERVICES") && !strings.Contains(string(entries), "KUBE-SERVICES") {
			t.Error("a chain is found that is not there")
		}
	})
}
