// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/chain"
	"github.com/cni-guard/cni-guard/pkg/ledger"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// mustBeLost refuses a sandbox that, by the ledger, is still there: its pod would
// go on with an address that is given to another. Where nothing is known it says
// nothing; it is a safety catch, no proof.
func mustBeLost(a chain.Attachment, stateDir string) error {
	record, err := ledger.Ledger(stateDir).Get(ledger.Key{Network: a.Network, ContainerID: a.ContainerID, IfName: a.IfName})
	if err != nil || record.Cookie == 0 {
		return nil
	}
	boot, err := netstate.BootID()
	if err != nil || boot != record.BootID {
		return nil
	}
	netns := netstate.OpenNetns(record.Netns)
	defer netns.Close()
	if cookie, err := netns.Cookie(); err != nil || cookie != record.Cookie {
		return nil
	}
	return &exitError{
		code: cannotTell,
		err:  fmt.Errorf("release %s of container %s: its namespace is still at %s", a.IfName, a.ContainerID, record.Netns),
		hint: "let the runtime remove the pod; --force releases the address although somebody may still use it",
	}
}
