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
	"slices"
	"strings"
	"time"

	"github.com/containernetworking/cni/pkg/types"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/events"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/printable"
	"github.com/cni-guard/cni-guard/pkg/release"
)

// A journal writes one JSON line for each finding, repair, unknown and release to
// standard error, which runtimes copy to their own journal, and to the event file. It
// writes nothing if all is well.
type journal struct {
	command string
	config  config
	args    *cmdArgs
}

// A subject is what a line of the journal is about. A field is "" if it does not apply.
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

// write writes one line. It counts repeats: a runtime retries a removal that failed
// every few seconds, for days. A repeat is a short line of standard error; the tenth,
// the hundredth and so on are an event again.
func (j journal) write(level slog.Level, about subject, message string, cause slog.Attr, more ...any) {
	attrs := about.attrs()
	why := "" // the zero Value would print as <nil>, which guardctl does not find in the event
	if cause.Key != "" {
		why = cause.Value.String()
	}
	count, due := events.Repeats{Dir: j.config.StateDir}.Add(events.Key{
		Command: j.command, Network: j.config.Network, ContainerID: j.args.ContainerID, IfName: j.args.IfName,
		Check: about.check, State: about.state, Policy: about.policy, Message: message, Cause: why,
	}, time.Now())
	if count.N > 1 {
		attrs = append(attrs, "count", count.N, "since", count.First)
	}
	if !due && !count.Shared {
		j.logger(os.Stderr).Log(context.Background(), level, message, attrs...)
		return
	}
	// Standard error first: a state directory that cannot be written must not keep
	// the line from the journal.
	to := io.Writer(os.Stderr)
	if due {
		to = io.MultiWriter(os.Stderr, events.File{Dir: j.config.StateDir})
	}
	log := j.logger(to)
	for _, field := range []struct{ key, value string }{{"netns", j.args.Netns}, {"pod", podName(j.args.Args)}} {
		if field.value != "" {
			log = log.With(field.key, field.value)
		}
	}
	if cause.Key != "" {
		more = append([]any{cause}, more...)
	}
	log.Log(context.Background(), level, message, append(attrs, more...)...)
}

// logger returns a logger. It is made when there is something to log, which is rare.
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

// report writes a line for each finding, repair or unknown of a report.
func (j journal) report(r guard.Report) {
	for _, o := range r.Noteworthy() {
		j.logIfNew(o)
	}
}

// logIfNew logs an outcome. One that may last for months is logged only once.
func (j journal) logIfNew(o guard.Outcome) {
	if len(o.Mended) > 0 || !isLasting(o) || !j.logged().seenOutcome(o) {
		j.logOutcome(o)
	}
}

func (j journal) logged() loggedTexts { return loggedTexts{filepath.Join(j.config.StateDir, "logged")} }

// logHeld logs a finding that STATUS does not report yet.
func (j journal) logHeld(o guard.Outcome) {
	j.logOutcome(o, "answer", "ready, until the finding has stood for "+j.config.HoldDown.String())
}

// logOutcome logs an outcome, after what its repair changed for the better.
func (j journal) logOutcome(o guard.Outcome, more ...any) {
	if len(o.Mended) > 0 {
		j.logOutcome(guard.Outcome{Check: o.Check, Policy: o.Policy, State: guard.Repaired, Findings: o.Mended})
	}
	level, message := slog.LevelWarn, o.Sentence()
	if details := o.Details(); details != "" {
		more = append(more, "evidence", details)
	}
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

// logAnswer logs the result of a release without the namespace, and the answer to the
// runtime.
func (j journal) logAnswer(refusal guard.Outcome, o release.Outcome, answer *types.Error) {
	j.write(slog.LevelError, subject{check: refusal.Check, state: stateOf(o)}, answer.Msg, slog.String("details", answer.Details))
}

// logRelease logs that a sandbox was released although its namespace was not refused,
// and why.
func (j journal) logRelease(why string, o release.Outcome) {
	j.write(slog.LevelWarn, subject{state: stateOf(o)}, why, slog.Attr{}, "outcome", o)
}

func stateOf(o release.Outcome) string {
	if o.Complete {
		return "released"
	}
	return "held"
}

// warn logs an error that costs protection, but no pod.
func (j journal) warn(what string, err error) {
	j.write(slog.LevelWarn, subject{state: guard.Unknown.String()}, what, errorAttr(err))
}

func errorAttr(err error) slog.Attr {
	if err == nil {
		return slog.Attr{}
	}
	return slog.String("error", err.Error())
}

// warnOnce is warn for an error that is the same for every pod. It is logged once per
// boot and key.
func (j journal) warnOnce(key, what string, err error) {
	if !j.logged().seen("config", key) {
		j.warn(what, err)
	}
}

// warnOfInput warns, once per boot, of input that refuses nothing: keys of the entry
// that have no effect, a list of an unknown version, and a result that cannot be read.
func (j journal) warnOfInput() {
	c := j.config
	if c.Warnings != "" {
		j.warnOnce("keys "+c.Network+" "+c.Warnings, "the entry of cni-guard in the configuration has keys that have no effect", errors.New(c.Warnings))
	}
	if !c.knownVersion() {
		j.warnOnce("version "+c.Network+" "+c.CNIVersion, "the list is of a cniVersion that this version of cni-guard does not know; it does what it does for the newest that it knows", fmt.Errorf("cniVersion %q is unknown", c.CNIVersion))
	}
	if c.ResultErr != nil {
		// The error may quote what is of one pod only, such as its address.
		kind := fmt.Sprintf("result %s %s %T", c.Network, resultVersion(c.PrevResult), rootCause(c.ResultErr))
		j.warnOnce(kind, "cannot read the result of the plugins before cni-guard; it is handed on as it came, and not compared with what the pod has", c.ResultErr)
	}
}

// warnOfConfig warns of a configuration that is not valid, for the verbs that must not
// fail because of it.
func (j journal) warnOfConfig(err *types.Error) {
	j.warnOnce(j.command+" "+j.config.Network+" "+err.Msg, "the configuration is not valid; "+j.command+" goes on with the defaults for what cannot be read", err)
}

// isLasting reports whether an outcome refuses nothing and may last for months: a minor
// finding, a fault of the node that only the operator repairs, or an unknown of a check
// that is not about one pod.
func isLasting(o guard.Outcome) bool {
	switch o.Check {
	case checks.BridgeNetfilter.Name, checks.IPForwarding.Name:
		return (o.State == guard.Failed || o.State == guard.Unknown) && !o.Refuses()
	case checks.Conflist.Name, checks.PodCIDR.Name:
		return o.Minor() || o.State == guard.Unknown
	}
	return o.Minor()
}

// loggedTexts stores what was logged in this boot, so that a lasting outcome is logged
// once: a line for each pod would push other events out of the bounded event file.
type loggedTexts struct{ dir string }

// loggedTextsLimit bounds the file of a check, in bytes. A file that is full is started
// again, and a text may be logged twice.
const loggedTextsLimit = 8 << 10

// seenOutcome reports whether an outcome with the same text was logged in this boot,
// and stores it if not.
func (t loggedTexts) seenOutcome(o guard.Outcome) bool {
	text := o.Sentence()
	if o.Err != nil {
		text += o.Err.Error()
	}
	return t.seen(o.Check, text)
}

// seen reports whether the file of that name has the text, and adds it if not. If it
// cannot be added, every text is new.
func (t loggedTexts) seen(name, text string) bool {
	path := filepath.Join(t.dir, name)
	before, err := os.ReadFile(path)
	if err == nil && slices.Contains(strings.Split(string(before), "\x00"), text) {
		return true
	}
	if len(before)+len(text) > loggedTextsLimit {
		before = nil
	}
	if os.MkdirAll(t.dir, 0o700) == nil {
		_ = os.WriteFile(path, append(append(before, text...), 0), 0o600) // a text that is cut short is another text, and logged again
	}
	return false
}
