// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A large is a node with much of something.
type large struct {
	name  string
	check string // "" for all checks
	make  string // commands, with what they read in $ROOT/input
	input string
}

func larges() []large {
	var nft, iptables, set strings.Builder
	nft.WriteString("table inet large {\nchain in { type filter hook input priority 0; policy accept;\n")
	for i := range 10_000 {
		fmt.Fprintf(&nft, "ip saddr 10.%d.%d.0/24 udp dport %d counter drop\n", i/256, i%256, 1+i%8000)
	}
	nft.WriteString("}\n}\n")
	iptables.WriteString("*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n")
	for i := range 20_000 {
		fmt.Fprintf(&iptables, "-A INPUT -s 10.%d.%d.0/24 -p tcp -m tcp --dport %d -m comment --comment \"rule %d\" -j DROP\n", i/256, i%256, 1+i, i)
	}
	iptables.WriteString("COMMIT\n")
	set.WriteString("table ip sets {\nset big { type ipv4_addr; elements = {\n")
	for i := range 100_000 {
		fmt.Fprintf(&set, "11.%d.%d.%d,\n", i>>16, i>>8&255, i&255)
	}
	set.WriteString("} }\nchain in { type filter hook input priority 0; ip saddr @big drop; }\n}\n")
	var peers strings.Builder // each line for ip -batch or bridge -batch, by its first word
	for i := range 5000 {
		mac, inner, outer := fmt.Sprintf("0a:58:00:01:%02x:%02x", i>>8, i&255), fmt.Sprintf("10.%d.%d.0", 100+i>>8, i&255), fmt.Sprintf("192.168.%d.%d", 60+i>>8, i&255)
		fmt.Fprintf(&peers, "neigh add %s lladdr %s dev flannel.1 nud permanent\nfdb append %s dev flannel.1 dst %s\nroute add %s/24 via %s dev flannel.1 onlink\n", inner, mac, mac, outer, inner, inner)
	}
	const run = "ip netns exec near "
	return []large{
		{"10,000 rules of nft", "overlay-firewall", run + `nft -f "$ROOT/input"`, nft.String()},
		{"20,000 rules of iptables-nft", "overlay-firewall", run + `iptables-nft-restore <"$ROOT/input"`, iptables.String()},
		{"20,000 rules of iptables-legacy", "overlay-firewall", run + `iptables-legacy-restore <"$ROOT/input"`, iptables.String()},
		{"a named set of 100,000 addresses", "overlay-firewall", run + `nft -f "$ROOT/input"`, set.String()},
		{"5,000 silent peers", "", "ip -n near link set eth0 arp off; grep -v ^fdb \"$ROOT/input\" | ip -n near -batch -; grep ^fdb \"$ROOT/input\" | " + run + "bridge -batch -", peers.String()},
	}
}

// BenchmarkDoctor runs the whole of guardctl on large nodes. It reports the time of the
// process, its processor time, and the most memory that it had.
func BenchmarkDoctor(b *testing.B) {
	for _, l := range larges() {
		b.Run(strings.ReplaceAll(l.name, " ", "_"), func(b *testing.B) {
			r := New(b)
			r.Write("input", l.input)
			r.Shell(l.make)
			args := []string{"doctor", "--runtime", "containerd", "-o", "json"}
			if l.check != "" {
				args = append(args, "--check", l.check)
			}
			var cpu, memory float64
			for b.Loop() {
				cmd := r.guardctl(args...)
				if out, err := cmd.Output(); err != nil && cmd.ProcessState.ExitCode() > 2 {
					b.Fatalf("%v: %s", err, out)
				}
				usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
				cpu += float64(cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime()) / 1e6
				memory = max(memory, float64(usage.Maxrss)/1024)
			}
			b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms")
			b.ReportMetric(cpu/float64(b.N), "cpu-ms")
			b.ReportMetric(memory, "MB")
		})
	}
}

// BenchmarkBundle judges the bundle of a node with 5,000 silent peers, which waits for
// none of them.
func BenchmarkBundle(b *testing.B) {
	all := larges()
	l := all[len(all)-1]
	r := New(b)
	r.Write("input", l.input)
	r.Shell(l.make)
	r.Guardctl("bundle", "--runtime", "containerd", "-o", "/tmp/bundle.tar.gz")
	bundle := filepath.Join(r.Root, "tmp/bundle.tar.gz")
	program := filepath.Join(r.Root, "opt/cni/bin/guardctl")
	for b.Loop() {
		cmd := exec.Command(program, "doctor", "--bundle", bundle)
		if out, err := cmd.CombinedOutput(); err != nil && cmd.ProcessState.ExitCode() > 2 {
			b.Fatalf("%v: %s", err, out)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms")
}
