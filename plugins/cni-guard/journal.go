// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/containernetworking/cni/pkg/skel"
	"github.com/containernetworking/cni/pkg/types"

	"github.com/cni-guard/cni-guard/pkg/events"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/printable"
	"github.com/cni-guard/cni-guard/pkg/release"
)

// A journal writes one JSON line for each thing that an operator should hear of
// to standard error, which runtimes put into their own journal, and to the
// event file. It writes nothing when all is well.
type journal struct {
	command string
	config  config
	args    *skel.CmdArgs
}

// logger makes the logger when there is something to log, which is seldom.
func (j journal) logger() *slog.Logger {
	// Standard error first: a state folder that cannot be written must not
	// keep the line from the journal.
	to := printable.NewWriter(io.MultiWriter(os.Stderr, events.File{Dir: j.config.StateDir}))
	log := slog.New(slog.NewJSONHandler(to, nil)).With("command", j.command)
	for _, field := range []struct{ key, value string }{
		{"network", j.config.Network}, {"containerID", j.args.ContainerID}, {"ifName", j.args.IfName},
		{"netns", j.args.Netns}, {"pod", pod(j.args.Args)},
	} {
		if field.value != "" {
			log = log.With(field.key, field.value)
		}
	}
	return log
}

// report writes a line for each finding, repair or unknown of a run, and for those
// that may stand for months only when they are new.
func (j journal) report(r guard.Report) {
	before := j.told()
	for _, o := range r.Noteworthy() {
		if stands(o) && before.again(o) {
			continue
		}
		j.outcome(o)
	}
}

func (j journal) told() told { return told{filepath.Join(j.config.StateDir, "told")} }

func (j journal) outcome(o guard.Outcome) {
	log := j.logger().With("check", o.Check, "state", o.State.String(), "policy", o.Policy.String())
	if o.Err != nil {
		log = log.With("error", o.Err.Error())
	}
	switch {
	case o.State == guard.Unknown:
		log.Warn(o.Check + ": could not tell")
	case o.State == guard.Repaired:
		log.Warn("repaired: "+o.Sentence(), "cause", "to be found: guardctl explain "+o.Check)
	case o.Refuses():
		log.Error(o.Sentence(), "remedy", strings.Join(o.Remedies(), " "))
	default:
		log.Warn(o.Sentence(), "remedy", strings.Join(o.Remedies(), " "))
	}
}

// answered writes what became of a sandbox that was released without its
// namespace, and what the runtime was told.
func (j journal) answered(refusal guard.Outcome, o release.Outcome, answer *types.Error) {
	j.logger().Error(answer.Msg, "check", refusal.Check, "state", stateOf(o), "details", answer.Details)
}

// helped writes of a sandbox that was released though nothing was wrong with its
// namespace, and why.
func (j journal) helped(why string, o release.Outcome) {
	j.logger().Warn(why, "state", stateOf(o), "outcome", o)
}

func stateOf(o release.Outcome) string {
	if o.Complete {
		return "released"
	}
	return "held"
}

// trouble writes of something that costs protection, not pods.
func (j journal) trouble(what string, err error) {
	j.logger().Warn(what, "state", guard.Unknown.String(), "error", err.Error())
}

// troubleOnce is trouble for what would be the same with every pod: it is written
// once in a boot for each key.
func (j journal) troubleOnce(key, what string, err error) {
	if !j.told().seen("config", key) {
		j.trouble(what, err)
	}
}

// oddities writes what is odd in the input and refuses nothing, once in a boot: keys
// of the entry that are ignored, a list of another version, and a result that cannot
// be read.
func (j journal) oddities() {
	c := j.config
	if c.Warnings != "" {
		j.troubleOnce("keys "+c.Network+" "+c.Warnings, "the entry of cni-guard in the configuration has keys that have no effect", errors.New(c.Warnings))
	}
	if !c.knownVersion() {
		j.troubleOnce("version "+c.Network+" "+c.CNIVersion, "the list is of a cniVersion that this version of cni-guard does not know; it does what it does for the newest that it knows", fmt.Errorf("cniVersion %q is unknown", c.CNIVersion))
	}
	if c.ResultErr != nil {
		// The error may quote what is of one pod only, such as its address.
		kind := fmt.Sprintf("result %s %s %T", c.Network, resultVersion(c.PrevResult), rootOf(c.ResultErr))
		j.troubleOnce(kind, "cannot read the result of the plugins before cni-guard; it is handed on as it came, and not compared with what the pod has", c.ResultErr)
	}
}

// unreadable writes of a configuration that is not valid, for the verbs that must
// not fail for it.
func (j journal) unreadable(err *types.Error) {
	j.troubleOnce(j.command+" "+j.config.Network+" "+err.Msg, "the configuration is not valid; "+j.command+" goes on with the defaults for what cannot be read", err)
}
