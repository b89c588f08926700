// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"time"

	"github.com/containernetworking/cni/pkg/types"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/release"
)

// errLate returns the reason why a check has no outcome when the watchdog answers.
func errLate() error {
	return fmt.Errorf("the call was not done within %v; the kernel or a file system does not answer", guard.Deadline)
}

// begin has the journal say so if the call hangs before any check runs, such as in
// opening the namespace.
func (p *plugin) begin(command string, c config, args *cmdArgs) {
	p.watch.ifLate(func() error {
		log := journal{command, c, args}
		return within(grace, func() error {
			log.trouble("no check was made; the call is let through unguarded", errLate())
			return nil
		})
	})
}

// judge runs the checks. If the time is up meanwhile, what is certain by then is
// reported, and answer makes the answer of it.
func (k *call) judge(suite []*checks.Check, stage guard.Stage, answer func(guard.Report) error) guard.Report {
	pass := guard.NewPass(suite, stage, k.Settings)
	log := k.log
	k.watch.ifLate(func() error {
		report := pass.Report(errLate())
		_ = within(grace, func() error { log.report(report); return nil })
		return answer(report)
	})
	k.watch.limit(k.target)
	report := pass.Run(k.watch.context(), k.target)
	// From here on the call reports. If the watchdog answers already, this does not
	// return: a release that it started must not find the record retired by us.
	k.watch.ifLate(func() error { return answer(report) })
	return report
}

// limit makes the views wait no longer for an answer than the call has time.
func (w *watchdog) limit(t *checks.Target) {
	deadline, limited := w.context().Deadline()
	for _, v := range []netstate.View{t.Node, t.Pod} {
		if live, ok := v.(*netstate.Live); ok && limited {
			live.SetDeadline(deadline)
		}
	}
}

// refused answers with the refusal of a report, if it has one.
func refused(r guard.Report) error { return orNil(r.CNIError()) }

// stopLate answers a DEL whose time is up. What was found before something hung
// stands, and the release has a deadline of its own.
func (k *call) stopLate(r guard.Report) error {
	refusal := notThePods(r)
	switch {
	case refusal != nil:
	case k.released():
		return k.stopAfterRelease(k.log.args, release.Outcome{Complete: true})
	case k.releasedInPart():
		return orNil(k.unfinished(k.request(k.log.args)))
	default:
		return nil
	}
	// A copy with a watchdog of its own: the call may come back from where it hangs,
	// and must find that the answer is no longer its business.
	late, w := *k, new(watchdog)
	w.late = func() error { return late.unfinished(late.request(late.log.args)) }
	w.timer = time.AfterFunc(guard.Deadline, w.expired)
	defer w.stop() // two of them must not answer
	late.watch = w
	return late.releaseAndStop(*refusal, late.log.args)
}

// unfinished answers a DEL whose release did not end in time.
func (k *call) unfinished(request release.Request) *types.Error {
	return k.answerSoFar(request, release.Outcome{Reason: fmt.Sprintf("the release was not done within %v", release.Deadline)})
}

// answerSoFar answers a DEL that hangs after its release.
func (k *call) answerSoFar(request release.Request, o release.Outcome) *types.Error {
	return release.Answer("container "+request.ContainerID, "Find out what hangs on this node", request, o)
}
