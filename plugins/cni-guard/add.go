// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"slices"
	"time"

	"github.com/containernetworking/cni/pkg/skel"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/ledger"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// add judges the sandbox, looks after it, records it, and hands on the result
// of the plugins before it, as it came in.
func (p *plugin) add(args *skel.CmdArgs) error {
	c, want, err := readAll(args)
	if err != nil {
		return err
	}
	// Known from here on, so that not even a panic of ours costs a pod.
	suite := checks.Suite()
	p.answer = append(slices.Clone(c.PrevResult), '\n')
	head := c.PrevResult == nil
	if head {
		suite, p.answer = checks.HeadSuite(), emptyResult(c.CNIVersion)
	}

	k := open("ADD", c, want, args)
	defer k.close()
	report := guard.Run(context.Background(), suite, guard.Add, c.Settings, k.target)
	if !head && k.target.Netns.Kind == netstate.Sandbox {
		k.record(args)
	}
	k.log.report(report)
	return orNil(report.CNIError())
}

// record writes down whose sandbox this is. A pod that is refused is recorded
// as well: its DEL follows.
func (k *call) record(args *skel.CmdArgs) {
	r := &ledger.Record{
		Key:   k.key,
		Netns: args.Netns,
		MAC:   k.target.Want.MAC,
		Addrs: k.target.Want.Addrs,
		Pod:   pod(args.Args),
		Added: time.Now(),
	}
	// Without a cookie (kernels older than 5.14) the MAC remains as evidence.
	r.Cookie, _ = k.target.Cookie()
	var err error
	if r.BootID, err = netstate.BootID(); err == nil {
		err = k.ledger.Put(r)
	}
	if err != nil {
		k.log.trouble("cannot record the sandbox; its DEL will have only the result to tell whose it is", err)
	}
}
