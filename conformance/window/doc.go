// SPDX-License-Identifier: Apache-2.0

// Package window measures how long a file that must not count does count, on a node whose
// agent keeps the conf dir (--keep enforce): from the moment at which the file is in the
// directory until the agent has put it away, while pods start. It counts the pods that got
// the wrong network meanwhile.
package window

import (
	"context"
	"time"

	"github.com/cni-guard/cni-guard/conformance/rig"
)

// A Way is how a file gets into the conf dir, or how the right one is changed.
type Way struct {
	Name  string
	About string // a clause for the table
	// Put does it; n counts the times.
	Put func(s *rig.Rig, n int) error
	// Rogue is the name of the file that the agent must put away; empty where it must
	// put the guard back into the pods' own file.
	Rogue string
	// Fight is a way that is gone as often as Fights says, while pods come and go.
	Fight bool
}

// Fights is how often a network plugin rewrites its file.
const Fights = 100

// Rogue is the name of the file in most ways. It sorts before the pods' own.
const Rogue = "05-b.conflist"

// Ways returns all ways.
func Ways() []Way {
	return []Way{
		{
			Name: "renamed", About: "another network's file, renamed into place within the directory", Rogue: Rogue,
			Put: func(s *rig.Rig, _ int) error { return s.InstallNow(Rogue, s.LeftoverList()) },
		},
		{
			Name: "moved-in", About: "the same, moved in from another directory", Rogue: Rogue,
			Put: func(s *rig.Rig, _ int) error { return s.SlipNow(Rogue, s.LeftoverList()) },
		},
		{
			Name: "written", About: "the same, written in place in two halves", Rogue: Rogue,
			Put: func(s *rig.Rig, _ int) error { return s.WriteSlowly(Rogue, s.LeftoverList()) },
		},
		{
			Name: "link", About: "a symbolic link to a file elsewhere, renamed into place", Rogue: Rogue,
			Put: func(s *rig.Rig, _ int) error { return s.Link(Rogue, s.LeftoverList()) },
		},
		{
			Name: "hidden", About: "a hidden file, which sorts first", Rogue: ".00-b.conflist",
			Put: func(s *rig.Rig, _ int) error { return s.InstallNow(".00-b.conflist", s.LeftoverList()) },
		},
		{
			Name: "rewritten", About: "the network plugin rewrites its own file without the guard, again and again", Fight: true,
			Put: func(s *rig.Rig, n int) error { return s.RewriteOwn(n) },
		},
	}
}

// A Result is what was seen of one way on one runtime.
type Result struct {
	Way     string `json:"way"`
	Runtime string `json:"runtime"`
	// Kept is the time from each change until the agent had undone it.
	Kept []time.Duration `json:"kept"`
	// Pods is how many pods started, Refused how often one was refused and tried again, and
	// Failed how many pods did not start at all.
	Pods    int      `json:"pods"`
	Refused int      `json:"refused"`
	Failed  int      `json:"failed"`
	Errors  []string `json:"errors,omitempty"` // some of them
	// Wrong is how many pods got another network; WrongAfter how many of them were asked for
	// after the agent had put the file away; Unguarded how many started without the guard.
	Wrong      int `json:"wrong"`
	WrongAfter int `json:"wrongAfter"`
	Unguarded  int `json:"unguarded"`
	// Lag is the time from then until the last call of the wrong network's plugin.
	Lag time.Duration `json:"lag"`
}

// Load is how many pods start, at a time and in all, and how often the change is made
// meanwhile.
type Load struct{ Pods, AtOnce, Changes int }

// Play starts pods while the way is gone as often as the load says, and returns what
// became of them. The guard is installed and the agent runs already.
func Play(ctx context.Context, s *rig.Rig, way Way, load Load) (Result, error) {
	if way.Fight {
		load.AtOnce, load.Changes = min(load.AtOnce, 4), max(load.Changes, Fights)
	}
	p := &play{rig: s, way: way, load: load, result: Result{Way: way.Name}}
	return p.run(ctx)
}
