// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/containernetworking/cni/pkg/skel"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// status answers whether the node is fit for pods. The runtime asks every few
// seconds and makes the node NotReady on an error, and then no pod starts whose ADD
// would repair anything. So STATUS repairs what ADD would. A finding that is left
// must have stood for a while, and only its first sight is logged.
func (p *plugin) status(args *skel.CmdArgs) error {
	c, err := parseConfig(args.StdinData)
	if err != nil {
		return err
	}
	log := journal{"STATUS", c, args}
	log.oddities()
	target := &checks.Target{Node: viewOr(netstate.OpenNode()), Options: c.Options, StateDir: c.StateDir, Conf: c.conf(args)}
	report := guard.Run(context.Background(), checks.CallSuite(), guard.Status, c.Settings, target)
	held := holdDown{dir: filepath.Join(c.StateDir, "status"), period: c.HoldDown}
	for i := range report.Outcomes {
		o := &report.Outcomes[i]
		if o.State == guard.Unknown {
			continue // neither a finding nor the end of one
		}
		found := o.State == guard.Failed
		first, stands, err := held.see(o.Check, found && !o.Minor(), time.Now())
		firstMinor, _, minorErr := held.see(o.Check+".minor", found && o.Minor(), time.Now())
		if err := errors.Join(err, minorErr); err != nil {
			log.trouble("cannot tell how long "+o.Check+" has had a finding; STATUS does not report it", err)
		}
		if first || firstMinor || o.State == guard.Repaired {
			log.outcome(*o)
		}
		if o.Refuses() && !stands {
			o.Policy = guard.Warn
		}
	}
	return orNil(report.CNIError())
}
