// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Network is the modules that nodes and pods need, and this project's tests: links,
// tunnels, traffic control, the packet filter with what iptables and nft ask of it, and
// what lists sockets (sock_diag). A guest loads no module by itself: whatever is not
// here is refused there as "not supported" or "no such file".
func Network() []string {
	return []string{
		"veth", "bridge", "br_netfilter", "dummy", "macvlan", "ipvlan", "tun", "vrf", "8021q",
		"ipip", "ip6_tunnel", "sit", "ip_gre", "vxlan", "geneve", "wireguard",
		"nf_conntrack", "nf_conntrack_netlink", "nf_tables", "nft_compat", "nft_ct", "nft_counter", "nft_chain_nat", "nft_masq", "nft_nat", "nft_redir",
		"nft_reject_inet", "nft_reject_ipv4", "nft_reject_ipv6", "nft_fib_inet", "nft_limit", "nft_log", "nft_numgen", "nft_hash", "nf_log_ipv4", "nf_log_ipv6",
		"xt_addrtype", "xt_comment", "xt_conntrack", "xt_limit", "xt_LOG", "xt_mark", "xt_MASQUERADE", "xt_multiport", "xt_nat", "xt_NFLOG",
		"xt_REDIRECT", "xt_state", "xt_statistic", "xt_TCPMSS", "xt_tcpudp", "ipt_REJECT", "ip6t_REJECT",
		"iptable_filter", "iptable_mangle", "iptable_nat", "iptable_raw", "ip6table_filter", "ip6table_mangle", "ip6table_nat", "ip6table_raw",
		"inet_diag", "tcp_diag", "udp_diag", "raw_diag", "netlink_diag", "unix_diag", "af_packet_diag",
		"sch_ingress", "sch_netem", "sch_tbf", "cls_matchall", "cls_u32", "act_gact", "act_mirred", "overlay",
	}
}

// merged returns modules that became part of another, by which they are replaced
// in kernels that no longer have them.
func merged() map[string]string {
	return map[string]string{
		"nft_counter": "nf_tables",     // 5.18
		"nf_log_ipv4": "nf_log_syslog", // 5.13
		"nf_log_ipv6": "nf_log_syslog",
	}
}

// A library is the modules of one kernel.
type library struct {
	kernel  Kernel
	files   map[string]string // module → path
	builtIn map[string]bool
}

func (k Kernel) library() (library, error) {
	l := library{kernel: k, files: map[string]string{}, builtIn: map[string]bool{}}
	err := filepath.WalkDir(k.modules(), func(path string, entry fs.DirEntry, err error) error {
		if name, _, ok := strings.Cut(filepath.Base(path), ".ko"); ok && err == nil && !entry.IsDir() {
			l.files[canonical(name)] = path
		}
		return err
	})
	if err != nil {
		return l, fmt.Errorf("list modules: %w", err)
	}
	f, err := os.Open(filepath.Join(k.modules(), "modules.builtin"))
	if err != nil {
		return l, fmt.Errorf("list modules: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		l.builtIn[canonical(strings.TrimSuffix(filepath.Base(lines.Text()), ".ko"))] = true
	}
	return l, lines.Err()
}

// canonical is how the kernel spells a module's name.
func canonical(name string) string { return strings.ReplaceAll(name, "-", "_") }

// resolve returns the name under which the kernel has the module.
func (l library) resolve(name string) string {
	name = canonical(name)
	if into := merged()[name]; into != "" && l.files[name] == "" {
		return into
	}
	return name
}

// A module is what finit_module takes.
type module struct {
	name string
	elf  []byte
}

// order returns the modules and what they depend on, each behind its
// dependencies, without what is built in.
func (l library) order(names []string) ([]module, error) {
	var ordered []module
	var visit func(name string, path []string) error
	visit = func(name string, path []string) error {
		name = l.resolve(name)
		if l.builtIn[name] || slices.ContainsFunc(ordered, func(m module) bool { return m.name == name }) {
			return nil
		}
		if slices.Contains(path, name) {
			return fmt.Errorf("module %s depends on itself: %s", name, strings.Join(path, " → "))
		}
		m, needs, err := l.read(name)
		if err != nil {
			return err
		}
		for _, need := range needs {
			if err := visit(need, append(path, name)); err != nil {
				return err
			}
		}
		ordered = append(ordered, m)
		return nil
	}
	var errs []error
	for _, name := range names {
		errs = append(errs, visit(name, nil))
	}
	return ordered, errors.Join(errs...)
}
