// SPDX-License-Identifier: Apache-2.0

package assess

import "strings"

// A Problem is something that is wrong with the folder, and what to do.
type Problem struct {
	Kind Kind
	// File is the file that it is about, by its name; "" where it is the folder.
	File string
	// What completes a sentence that begins with the file or the folder; Evidence and
	// Pods, which may be "", are clauses: how that is known, and what it means for pods.
	What, Evidence, Impact string
	// Keep is the file that must stay, "" if none is concerned.
	MustStay string
	// Command is the one command that mends it, "" where no command is safe; Remedy
	// says in words what to do then, or beside the command.
	Command, Remedy string
	// Minor marks what does no harm today.
	Minor bool
	// Unknown marks what could not be told.
	Unknown bool
	// Passing marks a file that was written just now, while a pod waits.
	JustWritten bool
}

// Sentence returns what happened, the evidence and the consequence, as a clause that
// follows the name of the file.
func (p Problem) Sentence() string {
	clauses := []string{p.What}
	for _, c := range []string{p.Evidence, p.Impact} {
		if c != "" {
			clauses = append(clauses, c)
		}
	}
	return strings.Join(clauses, "; ")
}

// Advice returns the command and the remedy as sentences; "" where there is neither.
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

// A Kind names a problem, for programs.
type Kind string

// The kinds.
const (
	NothingLoaded       Kind = "nothing-loaded"       // no pod can start
	RogueInUse          Kind = "rogue-in-use"         // another file takes the place of the intended one
	RogueAttached       Kind = "rogue-attached"       // pods are attached to another network as well
	RogueWaiting        Kind = "rogue-waiting"        // another file could take its place
	CopyInUse           Kind = "copy-in-use"          // a copy takes its place, of the same network
	SourceInUse         Kind = "source-in-use"        // what it was made of takes its place, without the guard
	GuardMissing        Kind = "guard-missing"        // pods get the intended network without the guard
	IntendedRefused     Kind = "intended-refused"     // the runtime refuses the intended file
	OwnCopyDiffers      Kind = "own-copy-differs"     // the guard's own copy is not what its source is now
	IntentUnknown       Kind = "intent-unknown"       // nobody can tell which file is intended
	MultusIncomplete    Kind = "multus-incomplete"    // Multus waits for what is not there
	AttachmentUnguarded Kind = "attachment-unguarded" // Multus attaches pods to it without the guard
	Unreadable          Kind = "unreadable"           // this user may not read it
)
