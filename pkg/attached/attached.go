// SPDX-License-Identifier: Apache-2.0

// Package attached lists the attachments on record for checks that run without a pod.
// The plugin uses it at ADD and STATUS, and guardctl in doctor. Package checks cannot do
// this itself: it does not know the ledger.
package attached

import (
	"cmp"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/ledger"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// List returns the attachments that the ledger in stateDir recorded in this boot and
// that no DEL followed. It reads all records, so a check calls it only if it needs them.
func List(stateDir string) ([]checks.Attachment, error) {
	boot, err := netstate.BootID()
	if err != nil {
		return nil, err
	}
	records, err := ledger.Ledger(stateDir).LiveOf(boot)
	all := make([]checks.Attachment, len(records))
	for i, r := range records {
		all[i] = checks.Attachment{
			Pod: cmp.Or(r.Pod, r.ContainerID), IfName: r.IfName,
			Interface: checks.Interface{MAC: r.MAC, Addrs: r.Addrs, Links: r.Links},
		}
	}
	return all, err
}
