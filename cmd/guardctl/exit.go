// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

// Exit codes. Zero is "clean".
const (
	findings   = 1
	cannotTell = 2
	badUsage   = 64 // EX_USAGE of sysexits.h
)

// asRoot is the hint where an ordinary user lacks a permission.
const asRoot = "run this as root of the node"

// An exitError ends the program with a code. Without err it does so silently,
// for everything was printed already.
type exitError struct {
	code int
	err  error
	hint string // what to do about it; may be empty
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// usageError returns the error for an argument or a flag that the command does not
// accept. It ends the program with badUsage.
func usageError(err error) error { return &exitError{code: badUsage, err: err} }

// oneArg accepts exactly one argument, which is what the message calls it.
func oneArg(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 {
			return nil
		}
		return fmt.Errorf("%s takes one %s, not %d: %s", cmd.CommandPath(), what, len(args), cmd.UseLine())
	}
}

// someArgs accepts one argument or more, each of which is what the message calls it.
func someArgs(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return nil
		}
		return fmt.Errorf("%s takes at least one %s: %s", cmd.CommandPath(), what, cmd.UseLine())
	}
}

// separateUsage has the commands mark the errors of their work as cannotTell. What
// remains unmarked is an error of cobra's about arguments, flags or commands, which
// main takes as one of usage.
func separateUsage(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		separateUsage(sub)
	}
	run := cmd.RunE
	if run == nil {
		return
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		err := run(cmd, args)
		var exit *exitError
		if err == nil || errors.As(err, &exit) {
			return err
		}
		return &exitError{code: cannotTell, err: err}
	}
}
