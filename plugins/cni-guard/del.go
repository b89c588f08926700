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

// del answers DEL. It lets the chain go on, unless the namespace is the node's or another
// pod's. Then it releases the sandbox without a namespace and stops the chain, because
// the plugins that follow would act on that namespace.
func (p *plugin) del(args *cmdArgs) error {
	if os.Getenv(release.Variable) != "" {
		return nil // guardctl releases this chain, and it has this plugin under another name
	}
	c, configErr := parseConfig(args.StdinData)
	want, resultErr := expectedInterface(c, args.IfName)
	c.ResultErr = resultErr
	k := p.start("DEL", c, want, args)
	defer k.close()
	if configErr != nil {
		k.log.warnOfConfig(configErr)
	}
	return k.del(args)
}

// del runs the checks, and lets the chain go on or stops it.
func (k *call) del(args *cmdArgs) error {
	k.loadRecord()
	report := k.runChecks(checks.CallSuite(), guard.Del, k.answerLateDel)
	k.log.report(report)
	if refusal := wrongNamespace(report); refusal != nil {
		return k.releaseAndStop(*refusal, args)
	}
	if k.released() {
		return k.stopAfterRelease(args, release.Outcome{Complete: true})
	}
	if k.releasedInPart() {
		return k.finishRelease(args)
	}
	if outcome, stop := k.releaseForChain(args); stop {
		return k.stopAfterRelease(args, outcome)
	}
	k.retire()
	return nil
}

// stopAfterRelease answers a DEL of a sandbox that was released, by this plugin or by an
// operator. Its address may be another pod's by now, and plugins that clean up by address,
// such as firewall, would remove that pod's rules. This holds wherever CNI_NETNS leads,
// and also if nothing is there.
func (k *call) stopAfterRelease(args *cmdArgs, outcome release.Outcome) error {
	finding, advice := "container "+args.ContainerID+" was released", "Nothing is left to do"
	if !outcome.Complete {
		finding, advice = finding+" in part", "The next DEL continues the release"
	}
	return release.Answer(finding, advice, k.request(args), outcome)
}

// wrongNamespace returns the outcome that the namespace is not the pod's, and nil if
// there is none. A DEL fails for no other finding.
func wrongNamespace(r guard.Report) *guard.Outcome {
	for _, o := range r.Outcomes {
		if o.Refuses() && o.Code == types.ErrInvalidNetNS {
			return &o
		}
	}
	return nil
}

// retire keeps the record for a repeated DEL. A pod that was restored into another
// namespace is identified by its interface, which the plugins now delete, so the record
// gets the cookie of that namespace.
func (k *call) retire() {
	var err error
	if k.record != nil && k.target.Recorded != 0 && k.target.Netns.Kind == netstate.Sandbox {
		if now, cookieErr := k.target.Cookie(); cookieErr == nil && now != k.target.Recorded {
			k.record.Cookie = now
			err = k.ledger.Put(k.record)
		}
	}
	if err = errors.Join(err, k.ledger.Retire(k.key)); err != nil {
		k.log.warn("cannot retire the record of the sandbox", err)
	}
}
