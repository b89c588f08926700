// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/containernetworking/cni/pkg/skel"

	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/ledger"
	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/release"
)

// releaseAndStop releases what the other plugins hold for the sandbox and words
// the error that keeps them from its namespace.
func (k *call) releaseAndStop(refusal guard.Outcome, args *skel.CmdArgs) error {
	request := k.request(args)
	outcome := k.release(request)
	outcome.Left = append(outcome.Left, k.leftOnNode()...)
	answer := release.Answer(refusal.Sentence(), refusal.Advice(), request, outcome)
	k.log.answered(refusal, outcome, answer)
	return answer
}

// releasedForOthers releases a sandbox that has no namespace any more where a plugin
// of the chain needs one for its DEL, and reports whether all was released. Where it
// was not, the chain goes on: it may fail, and then the runtime tries again.
func (k *call) releasedForOthers(args *skel.CmdArgs) bool {
	gone := k.target.Netns.Kind == netstate.Missing || k.target.Netns.Kind == netstate.NotNetns
	request := k.request(args)
	if !gone || k.Settings.Audit || !request.HelpNeeded() {
		return false
	}
	outcome := k.release(request)
	k.log.helped(outcome)
	return outcome.Complete
}

// release has guardctl release the sandbox, once. Its address is free after that,
// and plugins that clean up by address, such as firewall, would take the rules of
// the pod that has it then.
func (k *call) release(request release.Request) release.Outcome {
	switch {
	case k.Network == "":
		return release.Outcome{Reason: "the configuration could not be read, so the network is not known"}
	case k.released():
		return release.Outcome{Complete: true}
	}
	k.watch.extend(release.Deadline+guard.Deadline, k.unfinished(request))
	outcome := release.Start(context.Background(), request, os.Stderr)
	k.watch.extend(guard.Deadline, k.answerSoFar(request, outcome))
	if outcome.Complete {
		k.markReleased()
	}
	return outcome
}

// released reports whether the sandbox was released in full before.
func (k *call) released() bool { return k.record != nil && k.record.Released }

// markReleased retires the record, or makes one where there is none.
func (k *call) markReleased() {
	r := ledger.Record{Key: k.key, Netns: k.target.Netns.Path, Added: time.Now()}
	var err error
	if k.record != nil {
		r = *k.record
	} else {
		r.BootID, err = netstate.BootID()
	}
	if err == nil {
		err = k.ledger.PutReleased(r)
	}
	if err != nil {
		k.log.trouble("cannot note that the sandbox was released; a DEL that is repeated releases it again", err)
	}
}

// leftOnNode names the interface that a primary plugin made on the node, in an
// ADD that was given the node's namespace. The pod's own MAC tells it from the
// node's interface of that name.
func (k *call) leftOnNode() []string {
	mac := k.target.Want.MAC
	if k.target.Netns.Kind != netstate.Node || mac == "" {
		return nil
	}
	link, err := k.target.Node.Link(k.target.IfName)
	if err != nil || !strings.EqualFold(link.MAC.String(), mac) {
		return nil
	}
	return []string{fmt.Sprintf("interface %s with MAC %s, which an ADD made there (ip link delete %s)", link.Name, link.MAC, link.Name)}
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
