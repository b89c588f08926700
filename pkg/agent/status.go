// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"slices"
	"strings"
	"time"

	"github.com/cni-guard/cni-guard/pkg/guard"
)

// A Status is everything that the agent reports about itself and the node: the answer of
// its socket, and the source of its metrics and of the node condition. All times are of the
// wall clock.
type Status struct {
	Profile Profile   `json:"profile"`
	Keep    Keep      `json:"keep"`
	Started time.Time `json:"started"`
	// Loopback is whether the node's lo is up, as last seen: "up", "down", or "unknown".
	Loopback string `json:"loopback"`
	Looks    Looks  `json:"looks"`
	// Checks are the checks that the last full look ran, in the order of the suite.
	Checks []CheckStatus `json:"checks"`
	// Incidents are the last ones, the newest first; at most 50.
	Incidents []Incident    `json:"incidents"`
	Watches   []WatchStatus `json:"watches"`
	Conf      ConfStatus    `json:"conf"`
	Counters  Counters      `json:"counters"`
	// TunnelPeers counts the peers of the node's tunnels by the state of the last probe.
	TunnelPeers map[string]int `json:"tunnelPeers,omitempty"`
	// Problem is the worst finding that has lasted long enough to be told to the cluster;
	// nil if there is none.
	Problem *Problem `json:"problem,omitempty"`
	// Error is why the last look failed as a whole; "" if it did not.
	Error string `json:"error,omitempty"`
}

// Looks are the runs of the checks. A full look runs all of them; a quick one those that
// an event calls for.
type Looks struct {
	Full         uint64        `json:"full"`
	Quick        uint64        `json:"quick"`
	FullSeconds  float64       `json:"fullSeconds"` // in all
	QuickSeconds float64       `json:"quickSeconds"`
	LastFull     time.Time     `json:"lastFull,omitzero"`
	LastQuick    time.Time     `json:"lastQuick,omitzero"`
	LastDuration time.Duration `json:"lastDurationNanoseconds"` // of a full look
}

// A CheckStatus is the state of one check.
type CheckStatus struct {
	ID    string `json:"id"`
	Check string `json:"check"`
	// State is one of CheckStates.
	State    string          `json:"state"`
	Since    time.Time       `json:"since"` // when the state began
	Findings []guard.Finding `json:"findings,omitempty"`
	// Why says why the check is skipped or unknown, or why a repair failed.
	Why string `json:"why,omitempty"`
	// Incidents and the results of repairs are counted since the agent started.
	Incidents     uint64 `json:"incidents"`
	Repaired      uint64 `json:"repaired"`
	RepairsFailed uint64 `json:"repairsFailed"`
}

// CheckStates are the states of a check. A check whose finding was repaired has passed; the
// counters say that there was one. All findings of a minor check are minor.
func CheckStates() []string { return []string{"passed", "minor", "failed", "unknown", "skipped"} }

// An Incident is a finding that appeared, or was there and was repaired at once.
type Incident struct {
	Began    time.Time `json:"began"`
	Ended    time.Time `json:"ended,omitzero"` // zero: it lasts
	ID       string    `json:"id"`
	Check    string    `json:"check"`
	Object   string    `json:"object"`
	Problem  string    `json:"problem"`
	Repaired bool      `json:"repaired,omitempty"` // by the agent
	Count    uint64    `json:"count"`              // how often it was repaired without ten quiet minutes in between
	Culprit  string    `json:"culprit,omitempty"`  // who caused it, as in a ConfAction; "" if that is not looked for
	Earlier  bool      `json:"earlier,omitempty"`  // an agent before this one has recorded it
}

// A WatchStatus says how the agent hears of one kind of change.
type WatchStatus struct {
	// Source is "netlink", "nftables" or "files".
	Source string `json:"source"`
	// Events is whether changes are reported by the kernel; otherwise they are polled for, or
	// found by the next full look.
	Events  bool   `json:"events"`
	Why     string `json:"why,omitempty"` // why not
	Dropped uint64 `json:"dropped"`       // how often changes were lost, each followed by a full look
	Changes uint64 `json:"changes"`       // that concerned the agent
}

// A ConfStatus is what the agent did to keep the conf dir.
type ConfStatus struct {
	Dir     string       `json:"dir,omitempty"`
	Actions []ConfAction `json:"actions,omitempty"` // the last ones, the newest first; at most 20
	// InARow counts the actions without ten quiet minutes in between. From the 20th on the
	// agent waits between them, Until says how long.
	InARow int       `json:"inARow"`
	Until  time.Time `json:"until,omitzero"`
	Error  string    `json:"error,omitempty"` // of the last attempt
}

// Counters count since the agent started.
type Counters struct {
	// ConfActions counts by action and result.
	ConfActions map[string]map[string]uint64 `json:"confActions,omitempty"`
	Panics      uint64                       `json:"panics"`
}

// A Problem is what the node condition says.
type Problem struct {
	ID      string    `json:"id"`
	Check   string    `json:"check"`
	Since   time.Time `json:"since"`
	Message string    `json:"message"` // of all checks with a finding; the worst first
	Checks  int       `json:"checks"`  // how many checks have one
}

// Reason returns the name of the check as a node condition wants it: "HostLoopback".
func (p Problem) Reason() string { return CamelCase(p.Check) }

// CamelCase returns the name of a check in the form of a reason: "HostLoopback".
func CamelCase(check string) string {
	var b strings.Builder
	for word := range strings.SplitSeq(check, "-") {
		if word != "" {
			b.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
	}
	return b.String()
}

// Check returns the status of a check; nil if no look has run it.
func (s Status) Check(name string) *CheckStatus {
	i := slices.IndexFunc(s.Checks, func(c CheckStatus) bool { return c.Check == name })
	if i < 0 {
		return nil
	}
	return &s.Checks[i]
}

// Status returns what is known at the moment.
func (a *Agent) Status() Status {
	peers := a.opt.Node.TunnelPeers()
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.status
	s.TunnelPeers = peers
	s.Checks = make([]CheckStatus, 0, len(a.order))
	for _, name := range a.order {
		if c := a.checks[name]; c != nil {
			status := c.CheckStatus
			status.Findings = slices.Clone(c.Findings)
			s.Checks = append(s.Checks, status)
		}
	}
	s.Incidents = slices.Clone(s.Incidents)
	s.Watches = slices.Clone(s.Watches)
	s.Conf.Actions = slices.Clone(s.Conf.Actions)
	s.Counters.ConfActions = map[string]map[string]uint64{}
	for action, results := range a.status.Counters.ConfActions {
		s.Counters.ConfActions[action] = map[string]uint64{}
		for result, n := range results {
			s.Counters.ConfActions[action][result] = n
		}
	}
	return s
}
