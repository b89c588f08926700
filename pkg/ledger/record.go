// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// A Key identifies an attachment, as the CNI spec does.
type Key struct {
	Network     string `json:"network"`
	ContainerID string `json:"containerID"`
	IfName      string `json:"ifName"`
}

// A Record is what ADD knew of a sandbox.
type Record struct {
	Key
	BootID string         `json:"bootID"`           // a record of another boot is no evidence
	Cookie uint64         `json:"cookie,omitempty"` // SO_NETNS_COOKIE; 0 on kernels older than 5.14
	Netns  string         `json:"netns"`            // the path, for people
	MAC    string         `json:"mac,omitempty"`    // of IfName in the sandbox, as the result gave it
	Addrs  []netip.Prefix `json:"addrs,omitempty"`  // of IfName in the sandbox, as the result gave them
	Pod    string         `json:"pod,omitempty"`    // "namespace/name" where Kubernetes called
	Added  time.Time      `json:"added"`

	// Released says that all that the chain held was given back without the
	// sandbox. To release it again would hurt the next pod with its address.
	Released bool `json:"released,omitempty"`
	// Release is how far a release has come that is not known to be complete.
	Release *Release `json:"release,omitempty"`
	// Retired says that a DEL was seen since; it is not in the file.
	Retired bool `json:"-"`
}

// parseRecord reads a record and refuses one that identifies nothing.
func parseRecord(data []byte) (*Record, error) {
	r := new(Record)
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("parse record: %w", err)
	}
	if r.Network == "" || r.ContainerID == "" || r.IfName == "" || r.BootID == "" {
		return nil, errors.New("parse record: network, containerID, ifName and bootID must be there")
	}
	return r, nil
}
