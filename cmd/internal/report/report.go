// SPDX-License-Identifier: Apache-2.0

// Package report is what the checks of a node found, as one document: what guardctl
// doctor and guardctl status print, what the agent serves and what the kubectl plugin
// reads. docs/doctor.schema.json describes its JSON; docs/doctor.md explains it.
package report

import (
	"slices"
	"strings"
	"time"

	"github.com/cni-guard/cni-guard/pkg/guard"
)

// SchemaVersion is the version of the JSON document. It grows when a key is removed or
// changes its meaning, and not when one is added.
const SchemaVersion = 1

// A Report is the state of one node at one time.
type Report struct {
	SchemaVersion int       `json:"schemaVersion"`
	Time          time.Time `json:"time"` // when the checks had run
	Host          Host      `json:"host"`
	Version       string    `json:"version"` // of the program that ran the checks
	Runtime       Runtime   `json:"runtime"`
	Mode          Mode      `json:"mode"`
	// PolicyFrom is the path of the file with the policies and options; "" if no file has
	// an entry of cni-guard, and the defaults apply.
	PolicyFrom string `json:"policyFrom,omitempty"`
	// Limits are what the program could not look at.
	Limits    []Limit    `json:"limits,omitempty"`
	Areas     []Area     `json:"areas"`     // those with a check in Checks, in the order of their digits
	Checks    []Check    `json:"checks"`    // in the order of Areas, then of the suite
	Incidents []Incident `json:"incidents"` // newest last
	Summary   Summary    `json:"summary"`
}

// In returns the checks of an area.
func (r Report) In(area string) []Check {
	return slices.DeleteFunc(slices.Clone(r.Checks), func(c Check) bool { return c.Area != area })
}

// A Limit is a part of the node that the program could not look at.
type Limit struct {
	What   string `json:"what"`             // a noun: "the rules of nftables and iptables"
	Why    string `json:"why"`              // a clause: "this process lacks CAP_NET_ADMIN"
	Remedy string `json:"remedy,omitempty"` // what makes it visible: "run guardctl as root"
	// Checks are those that passed or were skipped and might have a finding if they had seen it:
	// while there are any, the exit code is not 0. A check that noticed is unknown, and not among them.
	Checks []string `json:"checks,omitempty"`
}

// String returns the limit as one sentence without a full stop.
func (l Limit) String() string {
	s := l.What
	if l.Why != "" {
		s += ", because " + l.Why
	}
	if len(l.Checks) > 0 {
		s += " (which " + strings.Join(l.Checks, ", ") + " would have read)"
	}
	if l.Remedy != "" {
		s += "; " + l.Remedy
	}
	return s
}

// A Host is the node that was looked at.
type Host struct {
	Name   string `json:"name"`
	BootID string `json:"bootID,omitempty"` // of /proc/sys/kernel/random/boot_id
	Kernel string `json:"kernel,omitempty"` // as uname -r
}

// A Runtime is the container runtime of the node.
type Runtime struct {
	Kind    string   `json:"kind"` // containerd, crio or cri-dockerd
	Name    string   `json:"name"` // of the product, for people: "k3s"
	ConfDir string   `json:"confDir"`
	BinDirs []string `json:"binDirs"`
	// Assumed says that no runtime was found or named, and that the values above are those
	// of containerd.
	Assumed bool     `json:"assumed,omitempty"`
	How     []string `json:"how,omitempty"` // how the values were found, a sentence each
}

// A Mode says what the program may change on the node.
type Mode string

// The modes.
const (
	Observe Mode = "observe" // nothing
	Repair  Mode = "repair"  // what the repairs of checks change
)

// An Area is the part of the node that some checks belong to.
type Area struct {
	Name  string `json:"name"`  // as checks.Area.Name
	Title string `json:"title"` // for people
	State State  `json:"state"` // the worst of its checks
}

// A Check is the result of one check.
type Check struct {
	ID     string `json:"id"` // "CG301"; "" for a check without one
	Name   string `json:"name"`
	Area   string `json:"area"` // the name of an area of the report
	State  State  `json:"state"`
	Policy string `json:"policy"` // warn or enforce: what a finding does to a pod
	// Findings are there if State is failed or minor, and were there if it is repaired.
	Findings []guard.Finding `json:"findings,omitempty"`
	// Error is why the check is unknown, or what it could not read beside the findings, or
	// why its repair failed.
	Error string `json:"error,omitempty"`
	// Skipped is why the check does not apply here; only if State is skipped.
	Skipped string `json:"skipped,omitempty"`
}

// An Incident is what the guard or the agent recorded on the node; repeats are one incident.
type Incident struct {
	Time    time.Time `json:"time"`            // when it happened first
	Last    time.Time `json:"last"`            // when it happened last
	Count   int       `json:"count"`           // how often it happened; at least 1
	Check   string    `json:"check,omitempty"` // its name; "" if no check found it
	State   string    `json:"state,omitempty"` // as recorded: failed, refused, repaired, unknown, released, held
	Command string    `json:"command,omitempty"`
	Pod     string    `json:"pod,omitempty"` // namespace/name, or the ID of its container
	Message string    `json:"message"`
}

// A Summary counts the checks by state.
type Summary struct {
	State    State `json:"state"` // the worst of all checks
	Passed   int   `json:"passed"`
	Failed   int   `json:"failed"`
	Minor    int   `json:"minor"`
	Repaired int   `json:"repaired"`
	Unknown  int   `json:"unknown"`
	Skipped  int   `json:"skipped"`
	// Limited counts the checks of Passed and Skipped that could not see all that they look at.
	Limited int `json:"limited,omitempty"`
	// ExitCode is the one that guardctl doctor ends with, and Meaning says why.
	ExitCode int    `json:"exitCode"`
	Meaning  string `json:"meaning"`
}
