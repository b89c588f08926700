// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"

	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// HostLoopback keeps the node's lo up. The runtime's own loopback network is not part of
// the chain and runs before it, so a chained plugin can only repair what happened
// there; our loopback plugin prevents it.
var HostLoopback = &Check{
	ID:        "CG105",
	Name:      "host-loopback",
	Summary:   "The node's lo is down, so that kubelet's probes, the local API server and DNS fail while everything remote still works.",
	Detection: "The node's lo lacks the flag UP, or the address 127.0.0.1 (`ip address show lo`). The state UNKNOWN is normal for lo, and other addresses on it are ignored.",
	Remedy:    "Run `ip link set lo up`. Then find out what took lo down; a DEL by the reference loopback plugin is the usual cause, and the loopback plugin of cni-guard prevents it.",
	When:      guard.Add | guard.Del | guard.Status | guard.Node,
	Default:   guard.Enforce,
	Probe:     probeHostLoopback,
	Repair:    repairHostLoopback,
}

func probeHostLoopback(_ context.Context, t *Target) ([]guard.Finding, error) {
	return probeLoopback(t.Node, "node", loopback4())
}

func repairHostLoopback(_ context.Context, t *Target) error {
	return repairLoopback(t.Node, loopback4())
}

// The addresses of lo that programs rely on. A missing one is added with this prefix
// length; 127.0.0.1 with another prefix length than the kernel's /8 is not missing.
func loopback4() netip.Prefix { return netip.MustParsePrefix("127.0.0.1/8") }
func loopback6() netip.Prefix { return netip.MustParsePrefix("::1/128") }

// probeLoopback reads the flag IFF_UP and not the operational state, which is UNKNOWN on
// a healthy lo.
func probeLoopback(v netstate.View, whose string, want ...netip.Prefix) ([]guard.Finding, error) {
	object := whose + "/lo"
	lo, err := v.Link("lo")
	if errors.Is(err, fs.ErrNotExist) {
		return []guard.Finding{{Object: object, Problem: "does not exist"}}, nil
	}
	if err != nil {
		return nil, err
	}
	if !lo.Up {
		return []guard.Finding{{Object: object, Problem: "is down", Impact: loopbackImpact(whose), Command: loopbackCommand(whose, "ip link set lo up")}}, nil
	}
	have, err := v.Addrs("lo")
	if err != nil {
		return nil, err
	}
	var findings []guard.Finding
	for _, w := range want {
		if !holds(have, w.Addr()) {
			findings = append(findings, guard.Finding{
				Object: object, Problem: fmt.Sprintf("has no %s", w), Impact: loopbackImpact(whose),
				Command: loopbackCommand(whose, fmt.Sprintf("ip address add %s dev lo", w)),
			})
		}
	}
	return findings, nil
}

// loopbackImpact returns what fails without lo.
func loopbackImpact(whose string) string {
	if whose == "node" {
		return "probes of kubelet, node-local proxies and all else that uses 127.0.0.1 on the node fail"
	}
	return "containers of the pod do not reach each other at 127.0.0.1"
}

// loopbackCommand returns the command for the node's lo; that of a pod would have to be
// run in its namespace.
func loopbackCommand(whose, command string) string {
	if whose == "node" {
		return command
	}
	return ""
}

// repairLoopback sets lo up, upon which the kernel adds the addresses, and adds those
// that are still missing. It never sets lo down.
func repairLoopback(v netstate.View, want ...netip.Prefix) error {
	if err := v.SetUp("lo"); err != nil {
		return err
	}
	have, err := v.Addrs("lo")
	if err != nil {
		return err
	}
	for _, w := range want {
		if holds(have, w.Addr()) {
			continue
		}
		if err := v.AddAddr("lo", w); err != nil {
			return err
		}
	}
	return nil
}

func holds(prefixes []netip.Prefix, addr netip.Addr) bool {
	for _, p := range prefixes {
		if p.Addr() == addr {
			return true
		}
	}
	return false
}
