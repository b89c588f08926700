// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"time"

	"github.com/containernetworking/cni/pkg/types"

	"github.com/cni-guard/cni-guard/pkg/ledger"
)

// gc answers GC. It removes the records of attachments that the runtime no longer has.
// It never fails: the next GC does what this one cannot.
func (p *plugin) gc(args *cmdArgs) error {
	c, configErr := parseConfig(args.StdinData)
	p.begin("GC", c, args)
	log := journal{"GC", c, args}
	if configErr != nil {
		log.warnOfConfig(configErr)
	}
	l := ledger.Ledger(c.StateDir)
	if c.Valid != nil {
		var valid []types.GCAttachment
		err := json.Unmarshal(c.Valid, &valid)
		if err == nil {
			_, err = l.Collect(c.Network, keys(c.Network, valid))
		}
		if err != nil {
			log.warn("cannot remove the records of attachments that are gone", err)
		}
	}
	if err := l.Sweep(time.Now()); err != nil {
		log.warn("cannot sweep the ledger", err)
	}
	return nil
}

func keys(network string, attachments []types.GCAttachment) []ledger.Key {
	keys := make([]ledger.Key, len(attachments))
	for i, a := range attachments {
		keys[i] = ledger.Key{Network: network, ContainerID: a.ContainerID, IfName: a.IfName}
	}
	return keys
}
