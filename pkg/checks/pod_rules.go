// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// IsPodRule reports whether a rule is about a single address and leads to a table, as
// those that AWS VPC CNI and Cilium's ENI mode make for each pod: "to 10.0.1.7/32
// lookup main", "from 10.0.1.7/32 lookup 2". A network manager that deletes the rules it did
// not make takes all of them in a burst (kops#17433).
func IsPodRule(r netstate.Rule) bool {
	return r.Action == "lookup" && (r.Src.IsValid() && r.Src.IsSingleIP()) != (r.Dst.IsValid() && r.Dst.IsSingleIP())
}

// podRuleFindings reports pods on record that lack the rule to their address, if the
// others have theirs or the network is AWS VPC CNI, which makes one for each pod
// (setupIPBasedContainerRouteRules of cmd/routed-eni-cni-plugin/driver). A lost rule
// from an address cannot be told from one that was never there: pods of the first
// interface have none.
func podRuleFindings(ctx context.Context, t *Target, rules []netstate.Rule) ([]guard.Finding, error) {
	if !t.Thorough {
		return nil, nil // it reads all records
	}
	ends, err := t.recordedEnds(ctx)
	if guard.Skips(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	ruled := map[netip.Addr]bool{}
	for _, r := range rules {
		if IsPodRule(r) && r.Dst.IsValid() && r.Table == netstate.TableMain {
			ruled[r.Dst.Addr()] = true
		}
	}
	// Pods with a security group of AWS have rules by interface, and a name of their own.
	groups := map[string]*podRules{}
	for _, end := range ends {
		if end.Master != 0 || len(end.want.Addrs) == 0 {
			continue
		}
		name := podPattern(end.Name)
		if groups[name] == nil {
			groups[name] = &podRules{}
		}
		groups[name].add(end, ruled)
	}
	var findings []guard.Finding
	primary, _ := t.primaryPlugin()
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		g := groups[name]
		if len(g.without) > 0 && (g.with > 0 || primary == "aws-cni" && name == "eni*") {
			findings = append(findings, g.finding())
		}
	}
	return findings, nil
}

// podRules are the pods whose ends are named alike.
type podRules struct {
	with    int // pods with the rule to an address of theirs
	without []nodeEnd
}

func (g *podRules) add(end nodeEnd, ruled map[netip.Addr]bool) {
	if slices.ContainsFunc(end.want.Addrs, func(p netip.Prefix) bool { return ruled[p.Addr().Unmap()] }) {
		g.with++
		return
	}
	g.without = append(g.without, end)
}

func (g *podRules) finding() guard.Finding {
	const few = 3
	var names []string
	for _, end := range g.without[:min(few, len(g.without))] {
		names = append(names, fmt.Sprintf("%s (%s)", end.pod, end.want.Addrs[0].Addr()))
	}
	if more := len(g.without) - few; more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	addr := g.without[0].want.Addrs[0].Addr().Unmap()
	flag := "-4"
	if addr.Is6() {
		flag = "-6"
	}
	return guard.Finding{
		Object:   "node",
		Problem:  fmt.Sprintf("lacks the routing rules of %d of %d pods on record: %s", len(g.without), g.with+len(g.without), strings.Join(names, ", ")),
		Evidence: fmt.Sprintf("ip %s rule has no rule \"to %s lookup main\"", flag, addr),
		Impact:   "packets of these pods leave by an interface that does not have their address, and are dropped",
		Remedy: "Recreate these pods, as their rules are made when they start: AWS VPC CNI does not restore those of running pods (amazon-vpc-cni-k8s#3309). " +
			"Then keep the network manager from deleting rules: ManageForeignRoutingPolicyRules=no for systemd-networkd (docs/node.md).",
	}
}
