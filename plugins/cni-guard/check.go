// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/guard"
)

// check answers CHECK. It runs the checks and changes nothing. CRI-O calls it right after
// every ADD.
func (p *plugin) check(args *cmdArgs) error {
	c, want, err := parseInput(args)
	if err != nil {
		return err
	}
	k := p.start("CHECK", c, want, args)
	defer k.close()
	k.loadRecord()
	report := k.runChecks(checks.CallSuite(), guard.Verify, refused)
	k.log.report(report)
	return orNil(report.CNIError())
}
