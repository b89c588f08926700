// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/guard"
)

// check looks at the sandbox and changes nothing. CRI-O calls it right after
// every ADD.
func (p *plugin) check(args *cmdArgs) error {
	c, want, err := readAll(args)
	if err != nil {
		return err
	}
	p.begin("CHECK", c, args)
	k := open("CHECK", c, want, args)
	defer k.close()
	k.watch = p.watch
	k.recall()
	report := k.judge(checks.CallSuite(), guard.Verify, refused)
	k.log.report(report)
	return orNil(report.CNIError())
}
