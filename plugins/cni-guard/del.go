// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"

	"github.com/containernetworking/cni/pkg/skel"
	"github.com/containernetworking/cni/pkg/types"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/release"
)

// del lets the chain go on, unless the namespace is the node's or another
// pod's: then it releases the sandbox without a namespace and stops the chain,
// as the plugins that follow would act on what is not theirs.
func (p *plugin) del(args *skel.CmdArgs) error {
	c, configErr := parseConfig(args.StdinData)
	want, resultErr := wanted(c, args.IfName)
	k := open("DEL", c, want, args)
	defer k.close()
	if configErr != nil {
		k.log.trouble("cannot read the configuration; DEL goes on with the defaults", configErr)
	}
	if resultErr != nil {
		k.log.trouble("cannot read the result that the runtime kept", resultErr)
	}
	k.recall()

	report := guard.Run(context.Background(), checks.Suite(), guard.Del, c.Settings, k.target)
	k.log.report(report)
	if refusal := notThePods(report); refusal != nil {
		return k.releaseAndStop(*refusal, args)
	}
	k.helpOthers(args)
	k.retire()
	return nil
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

// releaseAndStop releases what the other plugins hold for the sandbox and words
// the error that keeps them from its namespace.
func (k *call) releaseAndStop(refusal guard.Outcome, args *skel.CmdArgs) error {
	outcome := release.Outcome{Reason: "the configuration could not be read, so the network is not known"}
	request := k.request(args)
	if k.Network != "" {
		outcome = release.Start(context.Background(), request, os.Stderr)
	}
	if outcome.Complete {
		k.retire()
	}
	answer := release.Answer(refusal.Sentence(), refusal.Advice(), request, outcome)
	k.log.answered(refusal, outcome, answer)
	return answer
}

// helpOthers releases a sandbox that has no namespace any more where a plugin of
// the chain needs one for its DEL. The chain goes on all the same: it may fail
// there, but nothing is lost by then.
func (k *call) helpOthers(args *skel.CmdArgs) {
	gone := k.target.Netns.Kind == netstate.Missing || k.target.Netns.Kind == netstate.NotNetns
	request := k.request(args)
	if !gone || k.Settings.Audit || !request.HelpNeeded() {
		return
	}
	k.log.helped(release.Start(context.Background(), request, os.Stderr))
}

// request names the sandbox to guardctl.
func (k *call) request(args *skel.CmdArgs) release.Request {
	return release.Request{
		ContainerID: args.ContainerID,
		IfName:      args.IfName,
		Network:     k.Network,
		CacheDir:    k.CacheDir,
		ConfDir:     k.ConfDir,
		BinDirs:     args.Path,
	}
}

// retire keeps the record for a DEL that is repeated.
func (k *call) retire() {
	if err := k.ledger.Retire(k.key); err != nil {
		k.log.trouble("cannot retire the record of the sandbox", err)
	}
}
