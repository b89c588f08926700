// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"time"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/ledger"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// add judges the sandbox, looks after it, records it, and hands on the result
// of the plugins before it, as it came in.
func (p *plugin) add(args *cmdArgs) error {
	c, want, err := readAll(args)
	if err != nil {
		return err
	}
	// Known from here on, so that not even a panic of ours costs a pod.
	suite := checks.CallSuite()
	p.handOn(c)
	head := c.PrevResult == nil
	if head {
		suite = checks.HeadSuite()
	}

	p.begin("ADD", c, args)
	k := open("ADD", c, want, args)
	defer k.close()
	k.watch = p.watch
	if !head {
		k.remember(args) // before the checks, of which one may hang
		k.target.Attached = func(context.Context) ([]checks.Attachment, error) { return attached(c.StateDir) }
	}
	report := k.judge(suite, guard.Add, refused)
	k.log.report(report)
	return orNil(report.CNIError())
}

// remember writes down whose sandbox this is. A pod that is refused is recorded
// as well, without a cookie where it was given the node's namespace: its DEL
// follows, and must know what the primary plugin left there.
func (k *call) remember(args *cmdArgs) {
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
		Pod:   pod(args.Args),
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
		k.log.trouble("cannot record the sandbox; its DEL will have only the result to tell whose it is", err)
		_ = k.ledger.Forget(k.key) // an earlier record would now tell lies
	}
}
