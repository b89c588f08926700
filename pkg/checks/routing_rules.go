// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// RoutingRules checks that the kernel's own rules are there. systemd-networkd deletes
// rules that it did not make, those of the kernel among them, when it takes an
// interface (cilium#18706, systemd#41350). At STATUS it costs one dump of the rules.
var RoutingRules = &Check{
	ID:        "CG305",
	Name:      "routing-rules",
	Summary:   "A network manager has deleted the kernel's routing rules, so that the node does not answer on its own addresses or has no routes at all; or it has deleted the rules of individual pods, or added rules that send pods' replies the wrong way.",
	Detection: "ip -4 rule or ip -6 rule shows no rule \"from all lookup local\" or \"from all lookup main\". `guardctl doctor` also finds pods on record without a rule \"to ADDRESS lookup main\", if other pods have theirs or the network is AWS VPC CNI. Minor findings: the rule for the table default is missing; a rule leads to one of the tables 30200 or 30400, which nm-cloud-setup makes, and no pod range that it applies to is known.",
	Remedy:    "Add the rule that is missing. Then keep the network manager from deleting rules (docs/node.md): ManageForeignRoutingPolicyRules=no for systemd-networkd.",
	When:      guard.Status | guard.Node,
	Default:   guard.Warn,
	Probe:     probeRoutingRules,
}

func probeRoutingRules(ctx context.Context, t *Target) ([]guard.Finding, error) {
	rules, err := t.Node.Rules()
	if err != nil {
		return nil, err
	}
	var findings []guard.Finding
	var trouble error
	for _, six := range []bool{false, true} {
		missing := missingRules(rules, six)
		if len(missing) == 0 {
			continue
		}
		if six {
			off, err := ipv6IsOff(t.Node)
			trouble = errors.Join(trouble, err)
			if off || err != nil {
				continue
			}
		}
		for _, m := range missing {
			findings = append(findings, m.finding(t.Node, rules, six))
		}
	}
	if n := len(findings); n > 0 {
		findings[n-1].Remedy += " Then keep the network manager from deleting rules (docs/node.md)."
	}
	pods, err := podRuleFindings(ctx, t, rules)
	findings, trouble = append(findings, pods...), errors.Join(trouble, err)
	cloud, err := cloudRules(t, rules)
	return append(findings, cloud...), errors.Join(trouble, err)
}

// A kernelRule is a rule that the kernel makes for each namespace.
type kernelRule struct {
	table       int
	name        string
	priority    int
	consequence string
	minor       bool
}

// missingRules returns the kernel's rules that a family lacks. A rule that moved is
// there: Cilium moves that of the table local to priority 100, and VRFs to 32765.
func missingRules(rules []netstate.Rule, six bool) []kernelRule {
	there := map[int]bool{}
	for _, r := range rules {
		if r.IPv6 == six && r.Action == "lookup" && r.ForAll() {
			there[r.Table] = true
		}
	}
	var missing []kernelRule
	for _, k := range []kernelRule{
		{netstate.TableLocal, "local", 0, "the node does not answer at its own addresses, so that kubelet's probes and pods with hostNetwork fail", false},
		{netstate.TableMain, "main", 32766, "packets of pods and of the node find no route", false},
		{netstate.TableDefault, "default", 32767, "nothing is known to be harmed, but something deletes rules that it did not make", true},
	} {
		if !there[k.table] && (!six || k.table != netstate.TableDefault) { // IPv6 has no table default
			missing = append(missing, k)
		}
	}
	return missing
}

func (k kernelRule) finding(node netstate.View, rules []netstate.Rule, six bool) guard.Finding {
	flag := "-4"
	if six {
		flag = "-6"
	}
	priority := k.priority
	if k.table == netstate.TableLocal {
		// Cilium's rules for its proxy come before it (cilium#24288).
		if _, err := node.Link("cilium_host"); err == nil {
			priority = 100
		}
	}
	command := fmt.Sprintf("ip %s rule add pref %d lookup %s", flag, priority, k.name)
	return guard.Finding{
		Object:  "node",
		Problem: fmt.Sprintf("has no rule \"from all lookup %s\"", k.name), Impact: k.consequence,
		Evidence: fmt.Sprintf("ip %s rule shows %s", flag, shownRules(rules, six)),
		Command:  command, Remedy: "Run: " + command + ".",
		Minor: k.minor,
	}
}

// shownRules lists the first rules of a family.
func shownRules(rules []netstate.Rule, six bool) string {
	const few = 4
	var texts []string
	more := 0
	for _, r := range rules {
		switch {
		case r.IPv6 != six:
		case len(texts) == few:
			more++
		default:
			_, text, _ := strings.Cut(r.String(), " ")
			texts = append(texts, text)
		}
	}
	switch {
	case len(texts) == 0:
		return "none"
	case more > 0:
		return fmt.Sprintf("%s, and %d more", strings.Join(texts, ", "), more)
	}
	return strings.Join(texts, ", ")
}

// ipv6IsOff reports whether the namespace has no IPv6 to route.
func ipv6IsOff(node netstate.View) (bool, error) {
	off, err := node.Sysctl("net/ipv6/conf/all/disable_ipv6")
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	return off == "1", err
}

// cloudRules returns a finding for each rule that nm-cloud-setup made. It adds for each
// interface a table from 30200 and, for its further addresses, one from 30400 (NetworkManager,
// src/nm-cloud-setup). On RHEL 8.4 replies of pods took them (calico#4662, rke2#1053);
// later versions do no harm where pods have addresses of their own (rke2#8935).
func cloudRules(t *Target, rules []netstate.Rule) ([]guard.Finding, error) {
	var findings []guard.Finding
	for _, r := range rules {
		if block := r.Table / 100; block != 302 && block != 304 {
			continue
		}
		ranges, err := t.podRanges()
		_, text, _ := strings.Cut(r.String(), " ")
		f := guard.Finding{
			Object:  "node",
			Problem: fmt.Sprintf("has the rule %q of nm-cloud-setup", text),
			Impact:  "pods with an address that the cloud gave to this node would use that table for replies",
			Remedy:  "Check whether pods have addresses that the rule matches. If so: systemctl disable --now nm-cloud-setup.timer nm-cloud-setup.service, then restart the node.",
			Minor:   true,
		}
		if r.Src.IsValid() && ranges.contains(r.Src.Addr()) {
			f.Evidence = fmt.Sprintf("its address lies in %s (%s)", ranges, ranges.from)
			f.Impact = "replies of pods leave by that table instead of their route"
			f.Remedy = "Run: systemctl disable --now nm-cloud-setup.timer nm-cloud-setup.service; then restart the node, which drops the rules."
			f.Minor = false
		}
		findings = append(findings, f)
		if err != nil {
			return findings, fmt.Errorf("tell whether rules of nm-cloud-setup are about pods: %w", err)
		}
	}
	return fewFindings(findings, "rules"), nil
}

// fewFindings lists the first findings and counts the others: a
// list of a thousand findings is of no use.
func fewFindings(findings []guard.Finding, of string) []guard.Finding {
	const few = 5
	if len(findings) <= few {
		return findings
	}
	rest := findings[few]
	rest.Problem = fmt.Sprintf("has %d more %s like these", len(findings)-few, of)
	return append(findings[:few:few], rest)
}
