// SPDX-License-Identifier: Apache-2.0

package firewall_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/firewall"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// The kernel does with a packet what the verdict says, for rules that are made up of what
// is understood, and of some that is not. FIREWALL_CASES has how many rulesets, and
// FIREWALL_SEED where to begin.
func TestVerdictsAreTheKernels(t *testing.T) {
	for _, program := range []string{"nft", "iptables-nft-restore", "iptables-legacy-restore"} {
		if _, err := exec.LookPath(program); err != nil {
			checktest.Lacking(t, "no "+program)
		}
	}
	r := newRange(t)
	all := shots()
	number := func(name string, otherwise int) int {
		if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
			return n
		}
		return otherwise
	}
	r.establish(t, all)
	told, unsure, refused := map[firewall.Result]int{}, 0, 0
	first := number("FIREWALL_SEED", 1)
	for seed := first; seed < first+number("FIREWALL_CASES", 30); seed++ {
		g := &generator{Rand: rand.New(rand.NewPCG(uint64(seed), 7))}
		nft, iptables, legacy := g.ruleset()
		load(t, "nft", "flush ruleset\n", "-f", "-")
		load(t, "iptables-legacy-restore", legacy)
		if iptables != "" {
			load(t, "iptables-nft-restore", iptables)
		}
		load(t, "nft", probeTable(len(all)), "-f", "-")
		if out, err := tryLoad("nft", nft, "-f", "-"); err != nil {
			refused++ // two conditions of a rule contradict each other
			if !strings.Contains(out, "conflicting") {
				t.Fatalf("nft: %v\n%s\n%s", err, out, nft)
			}
		}
		source, err := r.view.Ruleset(nil)
		must(t, err)
		rules := firewall.Decode(source)
		stored, err := json.Marshal(source)
		must(t, err)
		var again netstate.Ruleset
		must(t, json.Unmarshal(stored, &again))
		elsewhere, written := firewall.Decode(&again), firewall.Decode(&netstate.Ruleset{Text: text("nft", nft) + text("iptables", iptables) + text("iptables-legacy", legacy)})
		passed := r.shoot(t, all)
		for i, s := range all {
			v := rules.Judge(s.packet)
			told[v.Result]++
			if other := elsewhere.Judge(s.packet); other.Result != v.Result {
				t.Fatalf("seed %d: %s is %s, and %s as it was stored", seed, s.name, v.Result, other.Result)
			}
			if w := written.Judge(s.packet); w.Result != firewall.CannotTell && (w.Result == firewall.Accepted) != passed[i] {
				t.Fatalf("seed %d: %s is %s by %v as it is written, and yet it passed: %t\nnft:\n%s\niptables-nft:\n%s\niptables-legacy:\n%s", seed, s.name, w.Result, w.Rule, passed[i], nft, iptables, legacy)
			}
			if v.Result == firewall.CannotTell {
				unsure++
				continue
			}
			if (v.Result == firewall.Accepted) != passed[i] {
				t.Fatalf("seed %d: %s is %s by %v, and yet it passed: %t\nnft:\n%s\niptables-nft:\n%s\niptables-legacy:\n%s", seed, s.name, v.Result, v.Rule, passed[i], nft, iptables, legacy)
			}
		}
	}
	total := told[firewall.Accepted] + told[firewall.Dropped] + unsure
	t.Logf("%d verdicts: %d accepted, %d dropped, %d %% cannot tell; nft refused %d rulesets", total, told[firewall.Accepted], told[firewall.Dropped], 100*unsure/total, refused)
	if told[firewall.Accepted] < total/20 || told[firewall.Dropped] < total/20 {
		t.Error("the rules are too much alike to show anything")
	}
}

// text returns lines in the form of netstate.Ruleset.Text.
func text(program, lines string) string {
	var b strings.Builder
	for line := range strings.Lines(lines) {
		fmt.Fprintln(&b, program, strings.TrimSpace(line))
	}
	return b.String()
}

// establish makes the connection of the packets whose state is established.
func (r *shootingRange) establish(t *testing.T, all []shot) {
	t.Helper()
	load(t, "nft", "flush ruleset\n"+probeTable(0), "-f", "-")
	for _, s := range all {
		if len(s.packet.States) == 0 || s.packet.States[0] != firewall.Established {
			continue
		}
		r.left.send(t, s.bytes(1))
		back := s
		back.src, back.dst = s.dst, s.src
		back.packet.SrcPort, back.packet.DstPort = s.packet.DstPort, s.packet.SrcPort
		r.node.send(t, back.bytes(1))
	}
}

// A generator makes rules up.
type generator struct{ *rand.Rand }

func (g *generator) pick(of ...string) string { return of[g.IntN(len(of))] }

func (g *generator) ruleset() (nft, iptables, legacy string) {
	legacy = g.iptables(g.IntN(3) == 0)
	if g.IntN(2) == 0 {
		iptables = g.iptables(true)
	}
	for i := range g.IntN(3) {
		nft += g.table(i)
	}
	return nft, iptables, legacy
}

// iptables returns the tables filter, mangle and raw, with rules or empty.
func (g *generator) iptables(rules bool) string {
	var b strings.Builder
	for _, table := range []struct {
		name   string
		chains []string
	}{{"raw", []string{"PREROUTING", "OUTPUT"}}, {"mangle", []string{"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"}}, {"filter", []string{"INPUT", "FORWARD", "OUTPUT"}}} {
		fmt.Fprintf(&b, "*%s\n", table.name)
		for _, c := range table.chains {
			policy := "ACCEPT"
			if rules && table.name == "filter" && g.IntN(5) == 0 {
				policy = "DROP"
			}
			fmt.Fprintf(&b, ":%s %s [0:0]\n", c, policy)
		}
		if rules {
			b.WriteString(":one - [0:0]\n:two - [0:0]\n")
			most := 5
			if table.name != "filter" {
				most = 2
			}
			for _, c := range append(table.chains, "one", "two") {
				for range g.IntN(most) {
					fmt.Fprintf(&b, "-A %s %s\n", c, g.iptablesRule(table.name, c))
				}
			}
		}
		b.WriteString("COMMIT\n")
	}
	return b.String()
}

func (g *generator) iptablesRule(table, chain string) string {
	var words []string
	seen := map[string]bool{}
	for range 1 + g.IntN(2) {
		match := g.iptablesMatch(chain)
		option, _, _ := strings.Cut(strings.TrimPrefix(match, "! "), " ")
		if !seen[option] || option == "-m" { // most options may be given once
			words = append(words, match)
		}
		seen[option] = true
	}
	targets := []string{"ACCEPT", "DROP", "ACCEPT", "ACCEPT", "RETURN", "LOG", "MARK --set-xmark 0x4/0x4", "MARK --set-xmark 0x1/0xffffffff", "REJECT", "one", "two"}
	switch {
	case chain == "one":
		targets = targets[:len(targets)-2]
		targets = append(targets, "two")
	case chain == "two":
		targets = targets[:len(targets)-2]
	}
	target := g.pick(targets...)
	switch {
	case strings.HasPrefix(target, "MARK") && table != "mangle", target == "REJECT" && table != "filter", strings.HasPrefix(target, "LOG"):
		return strings.Join(words, " ") // counts only
	case (target == "two" || target == "one") && g.IntN(3) == 0:
		return strings.Join(append(words, "-g "+target), " ")
	case table == "raw" && g.IntN(4) == 0 && (chain == "PREROUTING" || chain == "OUTPUT"):
		target = "CT --notrack"
	}
	return strings.Join(append(words, "-j "+target), " ")
}

func (g *generator) iptablesMatch(chain string) string {
	not := g.pick("", "", "! ")
	matches := []string{
		not + "-s " + g.pick("10.1.0.0/16", "10.1.0.2/32", "10.0.0.0/9", "10.2.0.0/16"),
		not + "-d " + g.pick("10.1.0.0/24", "10.2.0.0/15", "10.2.0.2/32", "192.168.0.0/16"),
		"-p udp -m udp " + not + "--dport " + g.pick("8472", "8000:9000", "53", "4789"),
		"-p udp -m multiport --dports " + g.pick("53,8472", "1000:2000,8473", "80,443"),
		"-p tcp -m tcp --dport " + g.pick("80", "22", "1:1024"),
		"-p tcp -m tcp " + not + "--tcp-flags SYN,RST,ACK SYN",
		not + "-p " + g.pick("udp", "4", "tcp", "47", "icmp"),
		"-m conntrack " + not + "--ctstate " + g.pick("NEW", "ESTABLISHED", "RELATED,ESTABLISHED", "INVALID", "NEW,UNTRACKED", "DNAT"),
		"-m state --state " + g.pick("NEW", "RELATED,ESTABLISHED", "INVALID"),
		"-m mark " + not + "--mark " + g.pick("0x4/0x4", "0x1", "0x0/0xff"),
		`-m comment --comment "a comment"`,
		"-m addrtype " + not + "--dst-type " + g.pick("LOCAL", "UNICAST", "BROADCAST"),
		"-m iprange --src-range 10.1.0.1-10.1.0.9",
		"-m limit --limit 1000/sec --limit-burst 100",
		"-m pkttype --pkt-type unicast",
	}
	if chain == "INPUT" || chain == "PREROUTING" || chain == "FORWARD" {
		matches = append(matches, not+"-i "+g.pick("l0", "r0", "l+", "eth+"))
	}
	if chain == "OUTPUT" || chain == "FORWARD" || chain == "POSTROUTING" {
		matches = append(matches, not+"-o "+g.pick("l0", "r0", "r+"))
	}
	match := g.pick(matches...)
	if (strings.HasPrefix(match, "-m limit") || strings.HasPrefix(match, "-m pkttype")) && g.IntN(10) > 0 {
		return "" // seldom, as it cannot be judged
	}
	return match
}

// table returns a table of nft with base chains at some hooks.
func (g *generator) table(i int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "table %s t%d {\n", g.pick("ip", "inet"), i)
	fmt.Fprintf(&b, "set named { type ipv4_addr; elements = { 10.1.0.2 } }\n")
	for _, c := range []string{"two", "one"} {
		fmt.Fprintf(&b, "chain %s {\n%s}\n", c, g.nftRules(c, 4))
	}
	for _, hook := range []string{"prerouting", "input", "forward", "output", "postrouting"} {
		if g.IntN(2) == 0 {
			continue
		}
		policy, most := "accept", 6
		if g.IntN(4) == 0 && hook != "prerouting" && hook != "postrouting" {
			policy = "drop"
		}
		if hook == "prerouting" || hook == "postrouting" {
			most = 3
		}
		fmt.Fprintf(&b, "chain %s { type filter hook %s priority %d; policy %s;\n%s}\n", hook, hook, []int{-300, -10, 0, 10}[g.IntN(4)], policy, g.nftRules(hook, most))
	}
	return b.String() + "}\n"
}

func (g *generator) nftRules(chain string, most int) string {
	var b strings.Builder
	for range g.IntN(most) {
		var words []string
		for range 1 + g.IntN(2) {
			words = append(words, g.nftMatch())
		}
		targets := []string{"accept", "drop", "accept", "accept", "return", "counter", "meta mark set 0x4", "meta mark set meta mark or 0x1", "jump one", "jump two", "goto one"}
		switch chain {
		case "two":
			targets = targets[:8]
		case "one":
			targets = append(targets[:8], "jump two", "goto two")
		case "input":
			targets = append(targets, "reject", "ct state vmap { established : accept, invalid : drop, new : jump two }", "udp dport vmap { 8472 : drop, 53 : accept }")
		case "forward":
			targets = append(targets, "meta l4proto vmap { tcp : goto one, udp : drop }")
		case "prerouting", "output":
			targets = append(targets, "notrack")
		}
		words = append(words, g.pick(targets...))
		fmt.Fprintln(&b, strings.Join(words, " "))
	}
	return b.String()
}

func (g *generator) nftMatch() string {
	not := g.pick("", "", "!= ")
	match := g.pick(
		"ip saddr "+not+g.pick("10.1.0.0/16", "10.1.0.2", "10.0.0.0/9", "10.2.0.0/16"),
		"ip daddr "+not+g.pick("10.1.0.0/24", "10.2.0.0/15", "{ 10.2.0.2, 10.1.0.1 }", "{ 10.0.0.0/8, 192.168.0.0/16 }"),
		"udp dport "+not+g.pick("8472", "8000-9000", "{ 53, 8472 }", "{ 1000-2000, 8472-8480 }"),
		"udp dport > 1024",
		"tcp dport "+g.pick("80", "{ 22, 80 }", "1-1024"),
		"tcp flags syn / syn,ack",
		"meta l4proto "+not+g.pick("udp", "4", "{ tcp, udp }", "gre"),
		"ip protocol "+g.pick("4", "tcp"),
		"ct state "+g.pick("new", "established,related", "invalid", "{ new, untracked }", "untracked"),
		"ct status dnat",
		"meta mark "+not+g.pick("0x4", "0x1"),
		"meta mark and 0x4 == "+g.pick("0x4", "0x0"),
		"fib daddr type "+g.pick("local", "unicast"),
		"iifname "+not+g.pick(`"l0"`, `"l*"`, `{ "l0", "eth0" }`, `{ "l*", "br*" }`),
		"oifname "+not+g.pick(`"r0"`, `"l*"`),
		"ip ttl 64", "ip saddr @named", "limit rate 1000/second", "meta length < 1000",
		"iifname . ip saddr { \"l0\" . 10.1.0.2, \"r0\" . 10.2.0.2 }",
		"th dport "+g.pick("8472", "53"),
	)
	if slices.ContainsFunc([]string{"limit", "ip ttl", "ip saddr @", "meta length"}, func(p string) bool { return strings.HasPrefix(match, p) }) && g.IntN(10) > 0 {
		return "" // seldom, as it cannot be judged
	}
	return match
}
