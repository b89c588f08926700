// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/hostconf"
)

// sysctlPersistence checks what the files of the node would make of the sysctls that
// pods need. The value now may be right because a daemon set it once
// (kubernetes-sigs/kubespray#747).
type sysctlPersistence struct{}

func (sysctlPersistence) declare() guard.Declaration {
	return guard.Declaration{Name: "sysctl-persistence"}
}

func (sysctlPersistence) check() *Check {
	return &Check{
		ID:        "CG309",
		Summary:   "Pods have network now but lose it at the next boot or the next sysctl --system, because a sysctl file on the node sets forwarding, rp_filter or bridge-nf to another value.",
		Detection: "Evaluates the settings for the interfaces of pods in sysctl.d below /etc, /run, /usr/local/lib and /usr/lib and in /etc/sysctl.conf, in the order of systemd-sysctl and in that of sysctl --system (`systemd-analyze cat-config sysctl.d` shows them). Only what a file sets counts, and a later file may set it right again. Minor findings: rp_filter would become strict where it was made loose; a key of net.bridge is set before anything loads br_netfilter.",
		Remedy:    "Set the value in a file that is read last, which the finding names; systemctl restart systemd-sysctl applies it. Tell the owner of the file with the wrong value, such as a hardening role or a scanner (CVE-1999-0511), that forwarding must be on where a node routes pods.",
		When:      guard.Node,
		Default:   guard.Warn,
		Probe:     probeSysctlPersistence,
	}
}

func probeSysctlPersistence(ctx context.Context, t *Target) ([]guard.Finding, error) {
	owned, err := ownedLinks(ctx, t)
	if err != nil {
		return nil, err
	}
	root := t.host()
	if root.Hidden() {
		return nil, guard.Skip("runs in a container that does not have the node's /etc")
	}
	if !slices.ContainsFunc(owned.links, func(l ownedLink) bool { return l.Kind == "veth" || l.Kind == "netkit" }) {
		return nil, guard.Skip("no pod is on record that is reached through an interface of the node")
	}
	j := &sysctlJudge{t: t, root: root, owned: owned}
	if j.boot, err = root.BootSysctls(); err != nil {
		return nil, err
	}
	if j.system, err = root.SystemSysctls(); err != nil {
		return nil, err
	}
	j.forwarding()
	j.bridging()
	j.reversePath()
	return j.findings, errors.Join(j.errs...)
}

type sysctlJudge struct {
	t            *Target
	root         hostconf.Root
	owned        ownership
	boot, system hostconf.Sysctls
	findings     []guard.Finding
	errs         []error
}

// now returns the value that the kernel has; "" where it has none.
func (j *sysctlJudge) now(key string) string {
	value, err := j.t.Node.Sysctl(key)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		j.errs = append(j.errs, err)
	}
	return value
}

// last returns the setting of several keys for one value that is applied last.
func last(s hostconf.Sysctls, keys ...string) (found hostconf.Setting, ok bool) {
	for _, key := range keys {
		if setting, set := s.Of(key); set && (!ok || setting.Order > found.Order) {
			found, ok = setting, true
		}
	}
	return found, ok
}

// A sysctlNeed is a sysctl that pods need.
type sysctlNeed struct {
	keys    []string // those for one value, the usual one first
	pattern string   // the key for all interfaces of the kind
	wrong   func(string) bool
	want    string
	impact  string
	minor   bool
}

// forwarding checks what switches forwarding off: for the node, for interfaces to come,
// or for those of pods.
func (j *sysctlJudge) forwarding() {
	off := func(text string) bool { return text == "0" }
	global := sysctlNeed{keys: []string{"net/ipv4/ip_forward", "net/ipv4/conf/all/forwarding"}, wrong: off, want: "1", impact: "pods reach nothing beyond the node"}
	j.require(global)
	def := sysctlNeed{keys: []string{"net/ipv4/conf/default/forwarding"}, wrong: off, want: "1", impact: "pods that start after that reach nothing beyond the node"}
	atBoot, setAtBoot := last(j.boot, def.keys...)
	all, _ := last(j.boot, global.keys...)
	if setAtBoot && atBoot.Order < all.Order && all.Text == "1" {
		// At boot ip_forward goes from 0 to 1, which sets the default as well; later it
		// is 1 already, and the kernel does nothing.
		def.impact += " (at boot ip_forward, which is set after it, sets it again)"
		j.requireIn(def, j.system)
	} else {
		j.require(def)
	}
	for _, l := range j.owned.links {
		j.require(sysctlNeed{
			keys: []string{"net/ipv4/conf/" + l.Name + "/forwarding"}, pattern: "net/ipv4/conf/" + l.pattern + "/forwarding",
			wrong: off, want: "1", impact: "pods behind it reach nothing beyond the node",
		})
	}
	if slices.ContainsFunc(j.owned.addrs, netip.Addr.Is6) {
		j.require(sysctlNeed{keys: []string{"net/ipv6/conf/all/forwarding"}, wrong: off, want: "1", impact: "pods reach nothing beyond the node by IPv6"})
	}
}

// bridging checks the settings of br_netfilter, if pods are ports of a bridge and it is
// on now, so it is needed.
func (j *sysctlJudge) bridging() {
	const key = "net/bridge/bridge-nf-call-iptables"
	if !slices.ContainsFunc(j.owned.links, func(l ownedLink) bool { return l.bridge != "" }) {
		return
	}
	now := j.now(key)
	if now == "1" {
		j.require(sysctlNeed{keys: []string{key}, wrong: func(text string) bool { return text == "0" }, want: "1", impact: "pods do not reach services whose pods are on the same node"})
	}
	set, ok := j.boot.Of(key)
	if !ok || set.Text != "1" {
		return
	}
	modules, err := j.root.ModulesAtBoot()
	if err != nil {
		j.errs = append(j.errs, err)
		return
	}
	if _, loaded := modules["br_netfilter"]; loaded {
		return
	}
	builtIn, err := j.root.BuiltIn("br_netfilter")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		j.errs = append(j.errs, err)
	}
	if err != nil || builtIn {
		return
	}
	j.findings = append(j.findings, guard.Finding{
		Object:   set.File,
		Problem:  fmt.Sprintf("sets %s at boot, when br_netfilter is not loaded", dotted(set.Key)),
		Evidence: fmt.Sprintf("line %d: %s = %s; no file of modules-load.d names br_netfilter", set.Line, dotted(set.Key), set.Text),
		Impact:   "the setting is lost at the next boot",
		Command:  writeFile("/etc/modules-load.d/cni.conf", "br_netfilter"),
		Remedy:   "Load the module first: " + writeFile("/etc/modules-load.d/cni.conf", "br_netfilter"),
		Minor:    now == "1",
	})
}

// reversePath checks whether a value that is loose now would become strict. It matters
// where packets of pods come in by another interface than they leave by, which Cilium
// and the AWS VPC CNI are known for; elsewhere it is minor.
func (j *sysctlJudge) reversePath() {
	primary, _ := j.t.primaryPlugin()
	asymmetric := primary == "cilium-cni" || primary == "aws-cni"
	strict := func(text string) bool { return text == "1" }
	check := func(name, pattern string) {
		n := sysctlNeed{
			keys: []string{"net/ipv4/conf/" + name + "/rp_filter"}, pattern: "net/ipv4/conf/" + pattern + "/rp_filter", wrong: strict,
			impact: "packets of pods that come in by another interface than they leave by are dropped", minor: !asymmetric,
		}
		if n.want = j.now(n.keys[0]); n.want == "0" || n.want == "2" {
			j.require(n)
		}
	}
	check("all", "all")
	for _, l := range j.owned.links {
		if !l.future {
			check(l.Name, l.pattern)
		}
	}
}

// require reports a setting that would be wrong, at boot or later.
func (j *sysctlJudge) require(n sysctlNeed) { j.requireIn(n, j.boot, j.system) }

func (j *sysctlJudge) requireIn(n sysctlNeed, in ...hostconf.Sysctls) {
	var wrong []hostconf.Setting
	var events []string
	for i, sysctls := range in {
		if s, ok := last(sysctls, n.keys...); ok && n.wrong(s.Text) {
			wrong = append(wrong, s)
			event := "at the next sysctl --system"
			if len(in) == 2 && i == 0 {
				event = "at the next boot"
			}
			events = append(events, event)
		}
	}
	if len(wrong) == 0 {
		return
	}
	s := wrong[len(wrong)-1] // of the two, the one that is harder to put right
	f := guard.Finding{Object: s.File, Minor: n.minor}
	sets, key := dotted(s.Key), s.Key
	if strings.Contains(s.Key, "*") {
		sets, key = fmt.Sprintf("%s, hence %s,", sets, dotted(n.keys[0])), cmp.Or(n.pattern, n.keys[0])
	}
	f.Problem = fmt.Sprintf("sets %s = %s %s", sets, s.Text, strings.Join(events, " and "))
	f.Evidence = fmt.Sprintf("line %d: %s = %s; now it is %s", s.Line, dotted(s.Key), s.Text, cmp.Or(j.now(n.keys[0]), "not there"))
	f.Impact = n.impact
	if s.File == "/etc/sysctl.conf" {
		f.Command = fmt.Sprintf("sed -i '%ds|.*|%s = %s|' /etc/sysctl.conf", s.Line, dotted(key), n.want)
		f.Remedy = "No file is read after it; set it right there: " + f.Command
	} else {
		f.Command = writeFile("/etc/sysctl.d/"+lastName(j.boot.Files()), dotted(key)+" = "+n.want)
		f.Remedy = "Set it in a file that is read later: " + f.Command
	}
	// One pattern is wrong for many interfaces in one way.
	same := func(g guard.Finding) bool { return g.Object == f.Object && g.Remedy == f.Remedy }
	if !slices.ContainsFunc(j.findings, same) {
		j.findings = append(j.findings, f)
	}
}

// dotted returns a key as sysctl(8) takes it: the dot of an interface's name is a slash.
func dotted(key string) string {
	return strings.NewReplacer("/", ".", ".", "/").Replace(key)
}
