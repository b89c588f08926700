// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"path/filepath"
	"time"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/ledger"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// status answers whether the node is fit for pods. The runtime asks every few
// seconds and makes the node NotReady on an error, and then no pod starts whose ADD
// would repair anything. So STATUS repairs what ADD would, and reports what is left.
func (p *plugin) status(args *cmdArgs) error {
	c, err := parseConfig(args.StdinData)
	if err != nil {
		return err
	}
	p.begin("STATUS", c, args)
	log := journal{"STATUS", c, args}
	log.oddities()
	target := &checks.Target{Node: viewOr(netstate.OpenNode()), Options: c.Settings.Options, StateDir: c.StateDir, Conf: c.conf(args)}
	target.Attached = func(context.Context) ([]checks.Attachment, error) { return attached(c.StateDir) }
	p.watch.limit(target)
	pass := guard.NewPass(checks.CallSuite(), guard.Status, c.Settings)
	p.watch.ifLate(func() error {
		return within(grace, func() error { return log.statusAnswer(pass.Report(errLate())) })
	})
	return log.statusAnswer(pass.Run(p.watch.context(), target))
}

// statusAnswer reports the findings that have stood for the hold-down, and writes
// down those that are new. A runtime that takes the first success for good is told
// at once: until then no pod waits for it, and afterwards it never asks again.
func (j journal) statusAnswer(report guard.Report) error {
	held := holdDown{dir: filepath.Join(j.config.StateDir, "status"), period: j.config.HoldDown}
	starting := startingCRIO(held.dir)
	for i := range report.Outcomes {
		o := &report.Outcomes[i]
		if o.State == guard.Unknown {
			j.unlessTold(*o)
			continue // neither a finding nor the end of one
		}
		var findings []guard.Finding
		if o.State == guard.Failed {
			findings = o.Findings
		}
		seen, err := held.see(o.Check, findings, time.Now())
		if err != nil {
			j.trouble("cannot tell how long "+o.Check+" has had a finding; STATUS does not report it", err)
		}
		waits := o.Refuses() && (err != nil || !seen.stands && !starting)
		switch {
		case seen.news && waits:
			j.held(*o)
		case seen.news || o.State == guard.Repaired:
			j.outcome(*o)
		}
		if waits {
			o.Policy = guard.Warn
		}
	}
	answer := report.CNIError()
	if answer == nil {
		toldReady(held.dir)
	}
	return orNil(answer)
}

// attached returns the attachments that are on record in this boot. It reads all
// records, so that only a check that has something to report asks for them.
func attached(stateDir string) ([]checks.Attachment, error) {
	boot, err := netstate.BootID()
	if err != nil {
		return nil, err
	}
	records, err := ledger.Ledger(stateDir).LiveOf(boot)
	all := make([]checks.Attachment, len(records))
	for i, r := range records {
		all[i] = checks.Attachment{
			Pod: cmp.Or(r.Pod, r.ContainerID), IfName: r.IfName,
			Interface: checks.Interface{MAC: r.MAC, Addrs: r.Addrs, Links: r.Links},
		}
	}
	return all, err
}
