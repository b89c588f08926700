// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"time"

	"github.com/cni-guard/cni-guard/pkg/attached"
	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/ledger"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// add answers ADD. It records the sandbox, runs the checks, and returns the result of
// the plugins before it unchanged.
func (p *plugin) add(args *cmdArgs) error {
	c, want, err := parseInput(args)
	if err != nil {
		return err
	}
	// The answer is known from here on, so that not even a panic costs a pod.
	suite := checks.CallSuite()
	p.returnPrevResult(c)
	// Without a result this is the entry before the primary plugin (--placement bookend).
	// There is no interface yet to record or to compare: only the namespace is judged.
	head := c.PrevResult == nil
	if head {
		suite = checks.HeadSuite()
	}

	k := p.start("ADD", c, want, args)
	defer k.close()
	if !head {
		k.recordSandbox(args) // before the checks, of which one may hang
		k.target.Attached = func(context.Context) ([]checks.Attachment, error) { return attached.List(c.StateDir) }
	}
	report := k.runChecks(suite, guard.Add, refused)
	k.log.report(report)
	return orNil(report.CNIError())
}

// recordSandbox records whose sandbox this is. A pod that is refused is recorded as well,
// without a cookie if it was given the node's namespace: its DEL follows, and must know
// what the primary plugin left on the node.
func (k *call) recordSandbox(args *cmdArgs) {
	kind := k.target.Netns.Kind
	if kind != netstate.Sandbox && kind != netstate.Node {
		return
	}
	r := &ledger.Record{
		Key:   k.key,
		Netns: args.Netns,
		MAC:   k.target.Want.MAC,
		Addrs: k.target.Want.Addrs,
		Links: k.target.Want.Links,
		Pod:   podName(args.Args),
		Added: time.Now().UTC(),
	}
	if kind == netstate.Sandbox {
		r.Cookie, _ = k.target.Cookie() // without one (before Linux 5.14) addresses are evidence
	}
	var err error
	if r.BootID, err = k.bootID(); err == nil {
		err = k.ledger.Put(r)
	}
	if err != nil {
		k.log.warn("cannot record the sandbox; its DEL will identify it by the result alone", err)
		_ = k.ledger.Forget(k.key) // an earlier record would be wrong now
	}
}
