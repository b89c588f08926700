// SPDX-License-Identifier: Apache-2.0

package firewall_test

import (
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/firewall"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// largeRulesets are rulesets of large nodes, and the program that loads each.
func largeRulesets() map[string]struct {
	program string
	args    []string
	text    string
} {
	var nft, iptables, set strings.Builder
	nft.WriteString("table inet large {\nchain in { type filter hook input priority 0; policy drop;\n")
	for i := range 10_000 {
		fmt.Fprintf(&nft, "ip saddr 10.%d.%d.0/24 udp dport %d counter drop\n", i/256, i%256, 1+i)
	}
	nft.WriteString("}\n}\n")
	iptables.WriteString("*filter\n:INPUT DROP [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n")
	for i := range 20_000 {
		fmt.Fprintf(&iptables, "-A INPUT -s 10.%d.%d.0/24 -p tcp -m tcp --dport %d -m comment --comment \"rule %d\" -j DROP\n", i/256, i%256, 1+i, i)
	}
	iptables.WriteString("COMMIT\n")
	set.WriteString("table ip sets {\nset big { type ipv4_addr; elements = {\n")
	for i := range 100_000 {
		fmt.Fprintf(&set, "11.%d.%d.%d,\n", i>>16, i>>8&255, i&255)
	}
	set.WriteString("} }\nchain in { type filter hook input priority 0; ip saddr @big drop; udp dport 8472 drop; }\n}\n")
	type large = struct {
		program string
		args    []string
		text    string
	}
	return map[string]struct {
		program string
		args    []string
		text    string
	}{
		"10,000 rules of nft":              large{"nft", []string{"-f", "-"}, nft.String()},
		"20,000 rules of iptables-nft":     large{"iptables-nft-restore", nil, iptables.String()},
		"20,000 rules of iptables-legacy":  large{"iptables-legacy-restore", nil, iptables.String()},
		"a named set of 100,000 addresses": large{"nft", []string{"-f", "-"}, set.String()},
	}
}

// Reading and judging allocates a bounded amount, and a named set none.
func TestCostIsBounded(t *testing.T) {
	checktest.PrivateNode(t)
	view, err := netstate.OpenNode()
	must(t, err)
	t.Cleanup(view.Close)
	packet := firewall.Packet{Hook: firewall.Input, Protocol: 17, DstPort: 60_000}
	for name, large := range largeRulesets() {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath(large.program); err != nil {
				checktest.Lacking(t, "no "+large.program)
			}
			load(t, large.program, large.text, large.args...)
			t.Cleanup(func() { checktest.Shell(t, "nft flush ruleset; iptables-legacy -P INPUT ACCEPT; iptables-legacy -F") })
			var before, read, after runtime.MemStats
			runtime.ReadMemStats(&before)
			source, err := view.Ruleset(nil)
			must(t, err)
			runtime.ReadMemStats(&read)
			p := packet
			if strings.Contains(name, "set") {
				p.DstPort = 8472
			}
			v := firewall.Decode(source).Judge(p)
			runtime.ReadMemStats(&after)
			if v.Result != firewall.Dropped {
				t.Errorf("the packet is %s: %s", v.Result, v.Reason)
			}
			const limit = 60 << 20
			if total := after.TotalAlloc - before.TotalAlloc; total > limit {
				t.Errorf("reading allocates %d bytes, and all %d", read.TotalAlloc-before.TotalAlloc, total)
			} else {
				t.Logf("%d KiB to read, %d KiB in all", (read.TotalAlloc-before.TotalAlloc)>>10, total>>10)
			}
			again, err := view.Ruleset(source)
			must(t, err)
			if len(source.Chains) > 0 && &again.Chains[0] != &source.Chains[0] {
				t.Error("rules of the same generation were read again")
			}
		})
	}
}

func BenchmarkRuleset(b *testing.B) {
	checktest.PrivateNode(b)
	view, err := netstate.OpenNode()
	if err != nil {
		b.Fatal(err)
	}
	defer view.Close()
	for name, large := range largeRulesets() {
		if out, err := tryLoad(large.program, large.text, large.args...); err != nil {
			b.Fatalf("%s: %s", err, out)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				source, err := view.Ruleset(nil)
				if err != nil {
					b.Fatal(err)
				}
				if v := firewall.Decode(source).Judge(firewall.Packet{Hook: firewall.Input, Protocol: 17, DstPort: 60_000}); v.Result == firewall.CannotTell && !strings.Contains(name, "set") {
					b.Fatal(v.Reason)
				}
			}
		})
		checktest.Shell(b, "nft flush ruleset; iptables-legacy -P INPUT ACCEPT; iptables-legacy -F")
	}
}
