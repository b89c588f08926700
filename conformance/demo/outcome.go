// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"strings"
	"time"

	"github.com/cni-guard/cni-guard/conformance/node"
)

// An outcome is what a run did to the node and to the pod's removal.
type outcome struct {
	Before   node.Facts    `json:"before"` // of the node
	After    node.Facts    `json:"after"`
	Address  string        `json:"address"` // the pod's
	Leased   bool          `json:"leased"`  // it still is
	Attempts int           `json:"attempts"`
	Complete bool          `json:"complete"` // the last attempt was the last
	Took     time.Duration `json:"took"`     // of the first attempt
	Answer   string        `json:"answer"`   // what the runtime was told by it
}

// harms lists what the run left worse than it should be, clauses for people.
func (o outcome) harms() []string {
	var harms []string
	if !o.After.LoUp {
		harms = append(harms, "the node no longer reaches itself (its lo is down)")
	}
	if o.After.HasEth0 != o.Before.HasEth0 || o.After.MAC != o.Before.MAC {
		harms = append(harms, "the node's eth0 is gone")
	}
	if o.Leased {
		harms = append(harms, "the pod's address stays allocated")
	}
	if !o.Complete {
		harms = append(harms, "the pod can never be removed")
	}
	return harms
}

// verdict puts two runs into a sentence, or says why they do not show what the
// demo is there to show.
func verdict(without, with outcome) (string, error) {
	harms := without.harms()
	if len(harms) == 0 {
		return "", errors.New("the run without the guard did no harm: the demo shows nothing here")
	}
	if left := with.harms(); len(left) > 0 {
		return "", errors.New("the guard did not help: with it, " + list(left))
	}
	return "One reused process ID, and " + list(harms) +
		". With cni-guard the node stays as it was, the address is free again and the pod is gone.", nil
}

// list joins clauses as a sentence does.
func list(clauses []string) string {
	last := len(clauses) - 1
	if last < 1 {
		return strings.Join(clauses, "")
	}
	return strings.Join(clauses[:last], ", ") + " and " + clauses[last]
}
