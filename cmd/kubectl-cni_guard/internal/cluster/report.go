// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"cmp"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Condition is the type of the node condition that the agent writes: True is a problem.
const Condition = "cni-guard.io/NetworkProblem"

// SilentAfter is how old a report may be. The agent writes the condition every five
// minutes at least; two of these may be lost.
const SilentAfter = 15 * time.Minute

// A Node is one of the cluster.
type Node = corev1.Node

// A State is what is known about a node.
type State string

// The states.
const (
	Problem State = "problem"
	Silent  State = "silent"  // the last report is too old
	None    State = "none"    // there was no report
	Unknown State = "unknown" // the agent cannot tell
	OK      State = "ok"
)

func (s State) order() int { return slices.Index([]State{Problem, Unknown, Silent, None, OK}, s) }

// A Report is what the agent of a node says.
type Report struct {
	Node     string    `json:"node"`
	State    State     `json:"state"`
	Reason   string    `json:"reason,omitempty"` // the worst check
	Message  string    `json:"message,omitempty"`
	Since    time.Time `json:"since,omitzero"`    // when the state began
	Reported time.Time `json:"reported,omitzero"` // when the agent wrote last
	Ready    string    `json:"ready"`             // kubelet's condition Ready: True, False or Unknown
}

// Reports returns the reports of the nodes with the given names, or of all nodes, the
// worst first; and the names that no node has.
func Reports(nodes []Node, names []string, now time.Time, silentAfter time.Duration) (reports []Report, missing []string) {
	for _, name := range names {
		if !slices.ContainsFunc(nodes, func(n Node) bool { return n.Name == name }) {
			missing = append(missing, name)
		}
	}
	for _, n := range nodes {
		if len(names) == 0 || slices.Contains(names, n.Name) {
			reports = append(reports, report(n, now, silentAfter))
		}
	}
	slices.SortStableFunc(reports, func(a, b Report) int {
		return cmp.Or(cmp.Compare(a.State.order(), b.State.order()), cmp.Compare(a.Node, b.Node))
	})
	return reports, missing
}

func report(n Node, now time.Time, silentAfter time.Duration) Report {
	r := Report{Node: n.Name, State: None, Ready: string(corev1.ConditionUnknown), Message: "no agent has reported from this node: check that a pod of the DaemonSet runs on it"}
	for _, c := range n.Status.Conditions {
		switch c.Type {
		case corev1.NodeReady:
			r.Ready = string(c.Status)
		case Condition:
			r.Reason, r.Message = c.Reason, c.Message
			r.Since, r.Reported = c.LastTransitionTime.Time, c.LastHeartbeatTime.Time
			switch {
			case now.Sub(r.Reported) > silentAfter:
				r.State = Silent
				r.Message = "the agent no longer reports; its last report: " + c.Message
				r.Since = r.Reported
			case c.Status == corev1.ConditionTrue:
				r.State = Problem
			case c.Status == corev1.ConditionFalse:
				r.State = OK
				r.Reason = ""
			default:
				r.State = Unknown
			}
		}
	}
	return r
}
