// SPDX-License-Identifier: Apache-2.0

// Package trace says what changes on a node and who changed it: links, addresses, routes,
// rules, sysctls, and the files of the conf dir.
package trace

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cni-guard/cni-guard/pkg/actor"
)

// The kinds of changes.
const (
	KindLink    = "link"
	KindAddress = "address"
	KindRoute   = "route"
	KindRule    = "rule"
	KindSysctl  = "sysctl"
	KindFile    = "file"
	KindLost    = "lost" // changes came faster than they were read
)

// A Change is one thing that has changed.
type Change struct {
	Time time.Time `json:"time"`
	Kind string    `json:"kind"`
	// Object is the name of a link or sysctl, an address with its link, a route, a rule, or the
	// path of a file.
	Object string `json:"object"`
	// What is what happened: "state", "mtu", "master" or "mac" of a link, "value" of a sysctl;
	// otherwise "added", "removed" or "changed".
	What string `json:"what"`
	// Old and New are the values; "" if there is none. Old is "?" if it is not known.
	Old string `json:"old,omitempty"`
	New string `json:"new,omitempty"`
	Who Who    `json:"who"`
}

// A Who is who made a change, as far as the kernel says. The zero Who says nothing.
type Who struct {
	// Process made the change; nil if that is not known. Evidence says how it is known: "its
	// netlink socket", "netlink port", "writer of the file".
	Process  *actor.Process `json:"process,omitempty"`
	Evidence string         `json:"evidence,omitempty"`
	// Why says why the process is not known.
	Why string `json:"why,omitempty"`
	// Before are the programs that were started right before the change, the last one first. One
	// of them may have made it, or none.
	Before []Started `json:"before,omitempty"`
	// Holders are processes that hold an rtnetlink socket, if no program was started: one of them
	// may have made the change.
	Holders []actor.Process `json:"holders,omitempty"`
}

// A Started is the start of a program.
type Started struct {
	actor.Process
	// BeforeMS is how many milliseconds before the change the program was seen to start.
	BeforeMS float64 `json:"beforeMilliseconds"`
}

// Fields of a process that are not those of actor.Process.
type origin struct {
	Unit      string `json:"unit,omitempty"`
	Container string `json:"container,omitempty"`
	PodUID    string `json:"podUID,omitempty"`
}

// MarshalJSON adds what the control groups of the processes say.
func (w Who) MarshalJSON() ([]byte, error) {
	type process struct {
		actor.Process
		origin
	}
	with := func(p actor.Process) process {
		return process{p, origin{Unit: p.Unit(), Container: p.Container(), PodUID: p.Pod()}}
	}
	var document struct {
		Process  *process `json:"process,omitempty"`
		Evidence string   `json:"evidence,omitempty"`
		Why      string   `json:"why,omitempty"`
		Before   []any    `json:"before,omitempty"`
		Holders  []any    `json:"holders,omitempty"`
	}
	document.Evidence, document.Why = w.Evidence, w.Why
	if w.Process != nil {
		p := with(*w.Process)
		document.Process = &p
	}
	for _, s := range w.Before {
		document.Before = append(document.Before, struct {
			process
			BeforeMS float64 `json:"beforeMilliseconds"`
		}{with(s.Process), s.BeforeMS})
	}
	for _, p := range w.Holders {
		document.Holders = append(document.Holders, with(p))
	}
	return json.Marshal(document)
}

// String returns who it was, in words: "by pid 4711 …" for a fact, "not known …" otherwise.
func (w Who) String() string {
	if w.Process != nil {
		return fmt.Sprintf("by %s (%s)", w.Process, w.Evidence)
	}
	s := "by whom is not known: " + w.Why
	var all []string
	for _, b := range w.Before {
		all = append(all, fmt.Sprintf("%s (%.1f ms before)", b.Short(), b.BeforeMS))
	}
	if len(all) > 0 {
		return s + "; started just before: " + strings.Join(all, "; ")
	}
	for _, p := range w.Holders {
		all = append(all, p.Short())
	}
	if len(all) > 0 {
		return s + ", and no program was started just before; these hold an rtnetlink socket: " + strings.Join(all, "; ")
	}
	return s
}

// String returns what has changed, without the time and who did it.
func (c Change) String() string {
	if c.Kind == KindLost {
		return "changes came faster than they were read: some are missing here"
	}
	s := c.Kind + " " + c.Object + ": "
	switch {
	case c.What == "added" && c.New != "":
		s += "added (" + c.New + ")"
	case c.What == "added", c.What == "removed", c.What == "changed":
		s += c.What
	case c.What == "value":
		s += c.Old + " -> " + c.New
	default:
		s += c.What + " " + c.Old + " -> " + c.New
	}
	return s
}

// SameUnknown reports whether what is not known of who made two changes is the same: then
// it is one cause, such as a link that is deleted with its addresses and routes.
func (w Who) SameUnknown(other Who) bool {
	return w.Process == nil && other.Process == nil && w.Why == other.Why && len(w.Before)+len(w.Holders) > 0 && slices.EqualFunc(w.Before, other.Before, func(a, b Started) bool {
		return a.PID == b.PID && a.Command == b.Command
	}) && len(w.Holders) == len(other.Holders)
}
