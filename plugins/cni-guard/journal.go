// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

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
	args    *cmdArgs
}

// A subject is what a line of the journal is about; "" where it is about no check.
type subject struct{ check, state, policy string }

func (a subject) attrs() []any {
	var attrs []any
	for _, field := range []struct{ key, value string }{{"check", a.check}, {"state", a.state}, {"policy", a.policy}} {
		if field.value != "" {
			attrs = append(attrs, field.key, field.value)
		}
	}
	return attrs
}

// write writes one line. What was written before is counted: a runtime tries a
// removal that failed again every few seconds, for days. The repeats are then a
// short line of standard error, and the tenth, hundredth and so on an event.
func (j journal) write(level slog.Level, is subject, message string, cause slog.Attr, more ...any) {
	attrs := is.attrs()
	why := "" // the zero Value would print as <nil>, which guardctl does not find in the event
	if cause.Key != "" {
		why = cause.Value.String()
	}
	count, due := events.Repeats{Dir: j.config.StateDir}.Add(events.Key{
		Command: j.command, Network: j.config.Network, ContainerID: j.args.ContainerID, IfName: j.args.IfName,
		Check: is.check, State: is.state, Policy: is.policy, Message: message, Cause: why,
	}, time.Now())
	if count.N > 1 {
		attrs = append(attrs, "count", count.N, "since", count.First)
	}
	if !due && !count.Shared {
		j.logger(os.Stderr).Log(context.Background(), level, message, attrs...)
		return
	}
	// Standard error first: a state folder that cannot be written must not
	// keep the line from the journal.
	to := io.Writer(os.Stderr)
	if due {
		to = io.MultiWriter(os.Stderr, events.File{Dir: j.config.StateDir})
	}
	log := j.logger(to)
	for _, field := range []struct{ key, value string }{{"netns", j.args.Netns}, {"pod", pod(j.args.Args)}} {
		if field.value != "" {
			log = log.With(field.key, field.value)
		}
	}
	if cause.Key != "" {
		more = append([]any{cause}, more...)
	}
	log.Log(context.Background(), level, message, append(attrs, more...)...)
}

// logger makes the logger when there is something to log, which is seldom.
func (j journal) logger(to io.Writer) *slog.Logger {
	log := slog.New(slog.NewJSONHandler(printable.NewWriter(to), nil)).With("command", j.command)
	for _, field := range []struct{ key, value string }{
		{"network", j.config.Network}, {"containerID", j.args.ContainerID}, {"ifName", j.args.IfName},
	} {
		if field.value != "" {
			log = log.With(field.key, field.value)
		}
	}
	return log
}

// report writes a line for each finding, repair or unknown of a run.
func (j journal) report(r guard.Report) {
	for _, o := range r.Noteworthy() {
		j.unlessTold(o)
	}
}

// unlessTold writes of an outcome that may stand for months only when it is new.
func (j journal) unlessTold(o guard.Outcome) {
	if len(o.Mended) > 0 || !stands(o) || !j.told().again(o) {
		j.outcome(o)
	}
}

func (j journal) told() told { return told{filepath.Join(j.config.StateDir, "told")} }

func (j journal) outcome(o guard.Outcome) { j.found(o) }

// held writes of a finding that STATUS does not report yet.
func (j journal) held(o guard.Outcome) {
	j.found(o, "answer", "ready, until the finding has stood for "+j.config.HoldDown.String())
}

func (j journal) found(o guard.Outcome, more ...any) {
	if len(o.Mended) > 0 {
		j.found(guard.Outcome{Check: o.Check, Policy: o.Policy, State: guard.Repaired, Findings: o.Mended})
	}
	level, message := slog.LevelWarn, o.Sentence()
	switch {
	case o.State == guard.Unknown:
		message = o.Check + ": could not tell"
	case o.State == guard.Repaired:
		message = "repaired: " + message
		if changes := o.Changes(); len(changes) > 0 {
			more = append(more, "change", strings.Join(changes, ", "))
		}
		more = append(more, "cause", "to be found: guardctl explain "+o.Check)
	default:
		more = append(more, "remedy", strings.Join(o.Remedies(), " "))
		if o.Refuses() {
			level = slog.LevelError
		}
	}
	j.write(level, subject{o.Check, o.State.String(), o.Policy.String()}, message, errorAttr(o.Err), more...)
}

// answered writes what became of a sandbox that was released without its
// namespace, and what the runtime was told.
func (j journal) answered(refusal guard.Outcome, o release.Outcome, answer *types.Error) {
	j.write(slog.LevelError, subject{check: refusal.Check, state: stateOf(o)}, answer.Msg, slog.String("details", answer.Details))
}

// helped writes of a sandbox that was released though nothing was wrong with its
// namespace, and why.
func (j journal) helped(why string, o release.Outcome) {
	j.write(slog.LevelWarn, subject{state: stateOf(o)}, why, slog.Attr{}, "outcome", o)
}

func stateOf(o release.Outcome) string {
	if o.Complete {
		return "released"
	}
	return "held"
}

// trouble writes of something that costs protection, not pods.
func (j journal) trouble(what string, err error) {
	j.write(slog.LevelWarn, subject{state: guard.Unknown.String()}, what, errorAttr(err))
}

func errorAttr(err error) slog.Attr {
	if err == nil {
		return slog.Attr{}
	}
	return slog.String("error", err.Error())
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
