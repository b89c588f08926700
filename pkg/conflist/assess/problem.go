// SPDX-License-Identifier: Apache-2.0

package assess

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

// A Problem is something that is wrong with the directory, and what to do about it.
type Problem struct {
	Kind Kind
	// File is the name of the file with the problem; "" if it is the directory.
	File string
	// What completes a sentence that begins with the file or the directory. Evidence and
	// Impact are clauses, or "": how that is known, and what it means for pods.
	What, Evidence, Impact string
	// MustStay is the path of the file that must not be removed; "" if there is none.
	MustStay string
	// Command is the one command that solves the problem; "" if no command is safe.
	// Remedy says in words what to do instead of the command, or besides.
	Command, Remedy string
	Minor           bool // pods are not affected today
	Unknown         bool // the evidence does not decide, or could not be read
	JustWritten     bool // the file was modified a moment ago, during ADD
}

// Sentence returns what happened, the evidence and the impact, as clauses that follow
// the name of the file.
func (p Problem) Sentence() string {
	sentence := p.What
	for _, clause := range []string{p.Evidence, p.Impact} {
		if clause != "" {
			sentence += "; " + clause
		}
	}
	return sentence
}

// Advice returns the command and the remedy as sentences; "" if there is neither.
func (p Problem) Advice() string {
	var all []string
	if p.Command != "" {
		command := "Run " + p.Command
		if p.MustStay != "" {
			command += ", and keep " + p.MustStay
		}
		all = append(all, command+".")
	}
	if p.Remedy != "" {
		all = append(all, strings.ToUpper(p.Remedy[:1])+p.Remedy[1:]+".")
	}
	return strings.Join(all, " ")
}

// A Kind identifies a kind of problem, for programs.
type Kind string

// The kinds of problems.
const (
	NothingLoaded       Kind = "nothing-loaded"       // no pod can start
	RogueInUse          Kind = "rogue-in-use"         // another file takes the place of the intended one
	RogueAttached       Kind = "rogue-attached"       // pods are attached to another network as well
	RogueWaiting        Kind = "rogue-waiting"        // another file could take its place
	CopyInUse           Kind = "copy-in-use"          // a copy takes its place, with the same network
	SourceInUse         Kind = "source-in-use"        // its source takes its place, without the guard
	GuardMissing        Kind = "guard-missing"        // pods get the intended network without the guard
	IntendedRefused     Kind = "intended-refused"     // the runtime refuses the intended file
	OwnCopyDiffers      Kind = "own-copy-differs"     // the guard's own copy differs from its source
	IntentUnknown       Kind = "intent-unknown"       // it is not known which file is intended
	MultusIncomplete    Kind = "multus-incomplete"    // Multus waits for something that does not exist
	AttachmentUnguarded Kind = "attachment-unguarded" // Multus attaches pods to it without the guard
	Unreadable          Kind = "unreadable"           // this user may not read it
)

// evidence says why the intended file is intended, and what is known of the other.
func (j *judge) evidence(f *file) string {
	if j.intendedSentence == "" {
		j.intendedSentence = fmt.Sprintf("%s is the intended file: %s", QuoteName(j.intended.name), j.explainBasis())
	}
	if !f.read {
		return j.intendedSentence
	}
	about := fmt.Sprintf("%s has %s", QuoteName(f.name), describe(f))
	if f.list.Name != "" && f.list.Name == j.intended.list.Name {
		about += ", the same name"
	}
	if !f.list.ModTime.IsZero() {
		about += ", was last modified " + f.list.ModTime.UTC().Format(time.DateTime) + " UTC"
	}
	if product := author(f); product != "" {
		about += ", and was probably written by " + product
	}
	return j.intendedSentence + "; " + about
}

// describeIntended returns the name of the intended file with its network and plugins.
func (j *judge) describeIntended() string {
	if j.intendedDescription == "" {
		j.intendedDescription = nameAndNetwork(j.intended)
	}
	return j.intendedDescription
}

func nameAndNetwork(f *file) string { return fmt.Sprintf("%s (%s)", QuoteName(f.name), describe(f)) }

func describe(f *file) string { return DescribeNetwork(f.list.Name, f.list.Types()) }

// DescribeNetwork returns a network and its plugins in words.
func DescribeNetwork(network string, plugins []string) string {
	if network == "" && len(plugins) == 0 {
		return "no readable network"
	}
	return fmt.Sprintf("network %q of %s", network, quoteNames(plugins))
}

func quoteNames(names []string) string {
	all := make([]string, len(names))
	for i, name := range names {
		all[i] = QuoteName(name)
	}
	return strings.Join(all, ", ")
}

// QuoteName returns a name as it is, or in quotes if it would not be one printable word.
func QuoteName(name string) string {
	if !strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c > '~' || c == '"' || c == '\\' }) {
		return name
	}
	if quoted := strconv.Quote(name); quoted != `"`+name+`"` || strings.ContainsAny(name, " \t") {
		return quoted
	}
	return name
}

// withoutPrefix returns the text of an error about the directory without the text that
// all of these begin with.
func withoutPrefix(err error) string {
	return strings.TrimPrefix(err.Error(), conflist.ErrNoNetwork.Error()+": ")
}

func (j *judge) runtimeName() string { return j.sel.Runtime.Kind.DisplayName() }

// quotedPath returns the path of a file, quoted for a shell if necessary.
func (j *judge) quotedPath(f *file) string { return printable.Word(j.sel.Path(f.name)) }

// quarantineCommand returns the command that puts files in quarantine.
func (j *judge) quarantineCommand(names ...string) string {
	command := "guardctl conf quarantine"
	for _, name := range names {
		command += " " + printable.Word(j.sel.Path(name))
	}
	return command + j.in.ConfFlags
}

// installCommand returns the command that puts the guard where it belongs.
func (j *judge) installCommand() string {
	placement := ""
	if j.in.Record != nil {
		placement = j.in.Record.Placement
	}
	if j.intended != nil && j.intended.name == conflist.OwnFile {
		placement = "own"
	}
	if placement == "" || placement == "inline" {
		return "guardctl install" + j.in.InstallFlags
	}
	return "guardctl install --placement " + placement + j.in.InstallFlags
}
