// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/ledger"
	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/printable"
	"github.com/cni-guard/cni-guard/pkg/release"
)

// releaseAndStop releases what the other plugins hold for the sandbox, and returns the
// error that keeps them from its namespace. A panic does not let them through, because
// the namespace is proved not to be the pod's.
func (k *call) releaseAndStop(refusal guard.Outcome, args *cmdArgs) (err error) {
	request := k.request(args)
	defer func() {
		if cause := recover(); cause != nil {
			printable.Fprintf(os.Stderr, "cni-guard: bug: panic in a release: %v\n", cause)
			err = release.Answer(refusal.Sentence(), refusal.Advice(), request, release.Outcome{Reason: "cni-guard failed in the release (a bug)"})
		}
	}()
	outcome := k.release(request)
	outcome.Left = append(outcome.Left, k.leftOnNode()...)
	answer := release.Answer(refusal.Sentence(), refusal.Advice(), request, outcome)
	k.log.logAnswer(refusal, outcome, answer)
	return answer
}

// releaseForChain releases a sandbox without a namespace if a plugin of the chain needs
// one for its DEL. It reports whether the chain must stop: all was released, or a plugin
// that cleans up by address was called. Otherwise the chain goes on. If that fails, the
// runtime tries again.
func (k *call) releaseForChain(args *cmdArgs) (release.Outcome, bool) {
	gone := k.target.Netns.Kind == netstate.Missing || k.target.Netns.Kind == netstate.NotNetns
	request := k.request(args)
	if !gone || k.Settings.Audit || !request.NeedsNamespace() {
		return release.Outcome{}, false
	}
	outcome := k.release(request)
	k.log.logRelease("released a sandbox that is gone, for a plugin of its chain that needs the namespace", outcome)
	return outcome, outcome.Complete || outcome.CleanedByAddress()
}

// release starts guardctl to release the sandbox, once. Its address is free after that,
// and plugins that clean up by address, such as firewall, would remove the rules of the
// next pod with that address.
func (k *call) release(request release.Request) release.Outcome {
	switch {
	case k.Network == "":
		return release.Outcome{Reason: "the configuration could not be read, so the network is not known"}
	case k.released():
		return release.Outcome{Complete: true}
	}
	k.watch.extend(release.Deadline+guard.Deadline, k.answerUnfinished(request))
	outcome := k.startRelease(context.Background(), request, os.Stderr)
	k.watch.extend(guard.Deadline, k.answerSoFar(request, outcome))
	if outcome.Complete {
		k.markReleased()
	}
	return outcome
}

// releasedInPart reports whether a release has begun and not ended. Plugins that clean
// up by address were called, and the address may be free by now, so the chain must not
// go on, whatever CNI_NETNS is.
func (k *call) releasedInPart() bool {
	return k.record != nil && k.record.Release != nil && !k.record.Released
}

// finishRelease continues a release that an earlier DEL began.
func (k *call) finishRelease(args *cmdArgs) error {
	outcome := k.release(k.request(args))
	k.log.logRelease("continued a release that an earlier DEL began", outcome)
	return k.stopAfterRelease(args, outcome)
}

// released reports whether the sandbox was released in full before.
func (k *call) released() bool { return k.record != nil && k.record.Released }

// markReleased retires the record, or creates one. guardctl itself marks what it
// released; this is for an older guardctl, or one that could not.
func (k *call) markReleased() {
	if r, err := k.ledger.Get(k.key); err == nil && r.Released {
		return
	}
	r := ledger.Record{Key: k.key, Netns: k.target.Netns.Path, Added: time.Now()}
	var err error
	if k.record != nil {
		r = *k.record
	} else {
		r.BootID, err = k.bootID()
	}
	if err == nil {
		err = k.ledger.PutReleased(r)
	}
	if err != nil {
		k.log.warn("cannot record that the sandbox was released; a repeated DEL releases it again", err)
	}
}

// leftOnNode returns the interface that a primary plugin created on the node, in an ADD
// that was given the node's namespace. The pod's MAC alone is no proof: an ipvlan in a
// pod has the MAC of the node's uplink. The interface must also have an address of the
// pod, or no address if the pod has none.
func (k *call) leftOnNode() []string {
	want := k.target.Want
	if k.target.Netns.Kind != netstate.Node || want.MAC == "" {
		return nil
	}
	link, err := k.target.Node.Link(k.target.IfName)
	if err != nil || !strings.EqualFold(link.MAC.String(), want.MAC) {
		return nil
	}
	addrs, err := k.target.Node.Addrs(link.Name)
	if err != nil || !isPodsInterface(addrs, want.Addrs) {
		return nil
	}
	return []string{fmt.Sprintf("interface %s with MAC %s, which an ADD created there (ip link delete %s)", link.Name, link.MAC, link.Name)}
}

// isPodsInterface reports whether an interface with these addresses can only be the pod's.
func isPodsInterface(there, want []netip.Prefix) bool {
	pods := func(p netip.Prefix) bool {
		return slices.ContainsFunc(want, func(w netip.Prefix) bool { return w.Addr() == p.Addr().Unmap() })
	}
	global := func(p netip.Prefix) bool { return p.Addr().IsGlobalUnicast() }
	if len(want) == 0 {
		return !slices.ContainsFunc(there, global)
	}
	return slices.ContainsFunc(there, pods)
}

// request names the sandbox to guardctl.
func (k *call) request(args *cmdArgs) release.Request {
	r := release.Request{
		ContainerID: args.ContainerID,
		IfName:      args.IfName,
		Network:     k.Network,
		CacheDir:    k.CacheDir,
		ConfDir:     k.ConfDir,
		BinDirs:     args.Path,
		Netns:       args.Netns,
	}
	if k.StateDir != checks.DefaultStateDir { // guardctl has the same default
		r.StateDir = k.StateDir
	}
	return r
}
