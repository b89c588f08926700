// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"

	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// The addresses of lo that programs count on. 127.0.0.1 may have another prefix
// length than the kernel's /8; what is missing is added with that.
func loopback4() netip.Prefix { return netip.MustParsePrefix("127.0.0.1/8") }
func loopback6() netip.Prefix { return netip.MustParsePrefix("::1/128") }

// probeLoopback looks for IFF_UP, not for the operational state, which is
// UNKNOWN on a healthy lo. Other addresses on lo are the operator's business.
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
		return []guard.Finding{{Object: object, Problem: "is down"}}, nil
	}
	have, err := v.Addrs("lo")
	if err != nil {
		return nil, err
	}
	var findings []guard.Finding
	for _, w := range want {
		if !holds(have, w.Addr()) {
			findings = append(findings, guard.Finding{Object: object, Problem: fmt.Sprintf("has no %s", w)})
		}
	}
	return findings, nil
}

// repairLoopback sets lo up, upon which the kernel gives it its addresses, and
// adds those that are still missing. It never sets lo down.
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
