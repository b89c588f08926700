// SPDX-License-Identifier: Apache-2.0

package guard

import "strings"

// A Stage is a moment at which checks run. Stages combine with |.
type Stage uint8

const (
	Add    Stage = 1 << iota // CNI ADD, after the other plugins
	Del                      // CNI DEL, before the other plugins
	Verify                   // CNI CHECK
	Status                   // CNI STATUS
	Node                     // by hand or by an agent, no pod involved
)

// MayRepair reports whether checks may change anything at this stage. CHECK only
// looks: its caller expects an answer, not a change. STATUS repairs what ADD would:
// an error makes the node NotReady, and then no pod starts whose ADD would repair.
func (s Stage) MayRepair() bool { return s&Verify == 0 }

// String names the stages as the documentation does: "ADD, DEL".
func (s Stage) String() string {
	var names []string
	for _, stage := range []struct {
		stage Stage
		name  string
	}{{Add, "ADD"}, {Del, "DEL"}, {Verify, "CHECK"}, {Status, "STATUS"}, {Node, "node"}} {
		if s&stage.stage != 0 {
			names = append(names, stage.name)
		}
	}
	return strings.Join(names, ", ")
}
