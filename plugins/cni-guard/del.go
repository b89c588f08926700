// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"os"

	"github.com/containernetworking/cni/pkg/types"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/release"
)

// del lets the chain go on, unless the namespace is the node's or another
// pod's: then it releases the sandbox without a namespace and stops the chain,
// as the plugins that follow would act on what is not theirs.
func (p *plugin) del(args *cmdArgs) error {
	if os.Getenv(release.Variable) != "" {
		return nil // guardctl releases this chain, and we are in it under another name
	}
	c, configErr := parseConfig(args.StdinData)
	want, resultErr := wanted(c, args.IfName)
	c.ResultErr = resultErr
	p.begin("DEL", c, args)
	k := open("DEL", c, want, args)
	defer k.close()
	k.watch = p.watch
	if configErr != nil {
		k.log.unreadable(configErr)
	}
	return k.del(args)
}

// del judges the sandbox that was opened, and lets the chain go on or stops it.
func (k *call) del(args *cmdArgs) error {
	k.recall()
	report := k.judge(checks.CallSuite(), guard.Del, k.stopLate)
	k.log.report(report)
	if refusal := notThePods(report); refusal != nil {
		return k.releaseAndStop(*refusal, args)
	}
	if k.released() {
		return k.stopAfterRelease(args, release.Outcome{Complete: true})
	}
	if k.releasedInPart() {
		return k.finishRelease(args)
	}
	if outcome, stop := k.releasedForOthers(args); stop {
		return k.stopAfterRelease(args, outcome)
	}
	k.retire()
	return nil
}

// stopAfterRelease answers a DEL of a sandbox that was released, by us or by an
// operator: its address may be another pod's by now, and plugins that clean up by
// address, such as firewall, would take that pod's rules. This holds wherever
// CNI_NETNS leads, and also where nothing is there any more.
func (k *call) stopAfterRelease(args *cmdArgs, outcome release.Outcome) error {
	finding, advice := "container "+args.ContainerID+" was released", "Nothing is left to do"
	if !outcome.Complete {
		finding, advice = finding+" in part", "The next DEL goes on with it"
	}
	return release.Answer(finding, advice, k.request(args), outcome)
}

// notThePods gives the outcome that says that the namespace is not the pod's.
// Whatever else is wrong with the node, a DEL does not fail for it.
func notThePods(r guard.Report) *guard.Outcome {
	for _, o := range r.Outcomes {
		if o.Refuses() && o.Code == types.ErrInvalidNetNS {
			return &o
		}
	}
	return nil
}

// retire keeps the record for a DEL that is repeated. A pod that was restored into
// another namespace was known by its interface, which the plugins now delete; so the
// record takes the cookie of that namespace.
func (k *call) retire() {
	var err error
	if k.record != nil && k.target.Recorded != 0 && k.target.Netns.Kind == netstate.Sandbox {
		if now, cookieErr := k.target.Cookie(); cookieErr == nil && now != k.target.Recorded {
			k.record.Cookie = now
			err = k.ledger.Put(k.record)
		}
	}
	if err = errors.Join(err, k.ledger.Retire(k.key)); err != nil {
		k.log.trouble("cannot retire the record of the sandbox", err)
	}
}
