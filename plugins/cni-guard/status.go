// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/cni-guard/cni-guard/pkg/attached"
	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// status answers STATUS: whether the node is fit for pods. The runtime asks every few
// seconds and makes the node NotReady on an error. Then no pod starts whose ADD would
// repair anything. So STATUS repairs what ADD would repair, and reports what is left.
func (p *plugin) status(args *cmdArgs) error {
	c, err := parseConfig(args.StdinData)
	if err != nil {
		return err
	}
	p.begin("STATUS", c, args)
	log := journal{"STATUS", c, args}
	log.warnOfInput()
	target := &checks.Target{Node: viewOrError(netstate.OpenNode()), Options: c.Settings.Options, StateDir: c.StateDir, Conf: c.conf(args)}
	target.Attached = func(context.Context) ([]checks.Attachment, error) { return attached.List(c.StateDir) }
	p.watch.limitViews(target)
	pass := guard.NewPass(checks.CallSuite(), guard.Status, c.Settings)
	p.watch.onTimeout(func() error {
		return within(grace, func() error { return log.statusAnswer(pass.Report(errTimeout())) })
	})
	return log.statusAnswer(pass.Run(p.watch.context(), target))
}

// statusAnswer reports the findings that are as old as the hold-down, and logs those
// that are new. A starting CRI-O gets every finding at once: no pod waits for it until
// then, and after its first success it never asks again.
func (j journal) statusAnswer(report guard.Report) error {
	hold := holdDown{dir: filepath.Join(j.config.StateDir, "status"), period: j.config.HoldDown}
	starting := isStartingCRIO(hold.dir)
	for i := range report.Outcomes {
		o := &report.Outcomes[i]
		if o.State == guard.Unknown {
			j.logIfNew(*o)
			continue
		}
		var findings []guard.Finding
		if o.State == guard.Failed {
			findings = o.Findings
		}
		seen, err := hold.observe(o.Check, findings, time.Now())
		if err != nil {
			j.warn("cannot store since when "+o.Check+" has had a finding; STATUS does not report it", err)
		}
		held := o.Refuses() && (err != nil || !seen.isDue && !starting)
		switch {
		case seen.isNew && held:
			j.logHeld(*o)
		case seen.isNew || o.State == guard.Repaired:
			j.logOutcome(*o)
		}
		if held {
			o.Policy = guard.Warn
		}
	}
	answer := report.CNIError()
	if answer == nil {
		markReady(hold.dir)
	}
	return orNil(answer)
}

// readyMark is the file in the directory of the hold-down that identifies the CRI-O to
// which STATUS has answered success.
const readyMark = ".ready"

// isStartingCRIO reports whether the caller is a CRI-O that has had no success since it
// started. CRI-O asks twice a second until its first success, and then never again
// unless cni_status_grace_period is set (cri-o/cri-o#9918, internal/config/cnimgr). If
// the hold-down turned that first answer into a success, the finding would stay hidden.
// With a grace period CRI-O itself waits before it reports anything.
func isStartingCRIO(dir string) bool {
	crio := callingCRIO()
	if crio == nil {
		return false
	}
	ready, _ := os.ReadFile(filepath.Join(dir, readyMark))
	return !bytes.Equal(ready, crio)
}

// markReady stores which CRI-O has had its success. If it cannot, the hold-down cannot
// store a finding either, and nothing is reported.
func markReady(dir string) {
	crio := callingCRIO()
	if crio == nil {
		return
	}
	path := filepath.Join(dir, readyMark)
	if ready, err := os.ReadFile(path); err == nil && bytes.Equal(ready, crio) {
		return
	}
	if os.MkdirAll(dir, 0o700) == nil {
		_ = os.WriteFile(path, crio, 0o600)
	}
}

// callingCRIO identifies the CRI-O that called by its process ID and its start time
// (proc_pid_stat(5)). It returns nil if another program called.
func callingCRIO() []byte {
	if name, err := caller(); err != nil || name != "crio" {
		return nil
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", os.Getppid()))
	if err != nil {
		return nil
	}
	_, after, _ := bytes.Cut(stat, []byte("(crio) "))
	const startTime = 22 - 3 // the first field after the name is the third
	fields := bytes.Fields(after)
	if len(fields) <= startTime {
		return nil
	}
	return fmt.Appendf(nil, "%d %s\n", os.Getppid(), fields[startTime])
}
