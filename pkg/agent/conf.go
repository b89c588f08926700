// SPDX-License-Identifier: Apache-2.0

package agent

import "time"

// A ConfAction is one thing that was done to keep the conf dir, or would have been.
type ConfAction struct {
	Time time.Time `json:"time,omitzero"`
	// Action is "reinsert", "quarantine" or "restore".
	Action string `json:"action"`
	// Result is "done", "failed", "throttled" or "reported".
	Result  string `json:"result"`
	File    string `json:"file"`              // its path
	Why     string `json:"why"`               // a clause about the file
	Culprit string `json:"culprit,omitempty"` // who wrote the file, as far as that is known
	Error   string `json:"error,omitempty"`
}
