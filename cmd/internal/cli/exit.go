// SPDX-License-Identifier: Apache-2.0

// Package cli is what the commands of guardctl share: exit codes and usage errors,
// output formats and tables, and the flags that describe a node.
package cli

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/pkg/printable"
)

// Exit codes of every command.
const (
	ExitOK       = 0
	ExitFindings = 1  // something was found, or is left to do
	ExitUnknown  = 2  // the command could not find out, refused or failed
	ExitUsage    = 64 // an argument or a flag is wrong: EX_USAGE of sysexits.h
)

// AsRoot is the hint for a user who lacks a permission.
const AsRoot = "run this as root on the node"

// An ExitError ends the program with Code. If Err is nil, nothing more is printed: the
// command has printed its result.
type ExitError struct {
	Code int
	Err  error
	Hint string // what to do about Err; may be empty
}

// Error returns the text of Err, or "".
func (e *ExitError) Error() string {
	if e.Err == nil {
		return ""
	}
	return e.Err.Error()
}

// Unwrap returns Err.
func (e *ExitError) Unwrap() error { return e.Err }

// Exit returns an error that ends the program with code and prints nothing, and nil
// for ExitOK.
func Exit(code int) error {
	if code == ExitOK {
		return nil
	}
	return &ExitError{Code: code}
}

// Unknown returns an error that ends the program with ExitUnknown.
func Unknown(err error, hint string) error {
	return &ExitError{Code: ExitUnknown, Err: err, Hint: hint}
}

// Denied returns an error that ends the program with ExitUnknown. Its hint is AsRoot if
// err is a denied permission and the user is not root.
func Denied(err error) error {
	exit := &ExitError{Code: ExitUnknown, Err: err}
	if isDenied(err) {
		exit.Hint = AsRoot
	}
	return exit
}

func isDenied(err error) bool { return os.Geteuid() != 0 && errors.Is(err, fs.ErrPermission) }

// UsageError returns an error that ends the program with ExitUsage.
func UsageError(err error) error { return &ExitError{Code: ExitUsage, Err: err} }

// Run executes the command below root that args name, and returns the exit code. It
// prints the error of the command to stderr, with a hint.
func Run(root *cobra.Command, stdout, stderr io.Writer, args []string) int {
	separateUsage(root)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetArgs(args)
	root.SilenceErrors, root.SilenceUsage, root.DisableSuggestions = true, true, true
	cmd, err := root.ExecuteContextC(context.WithValue(context.Background(), argsKey{}, args))
	if err == nil {
		return ExitOK
	}
	var exit *ExitError
	if !errors.As(err, &exit) { // cobra's own, about arguments, flags or commands
		exit = &ExitError{Code: ExitUsage, Err: err}
	}
	hint := exit.Hint
	switch {
	case hint != "":
	case exit.Code == ExitUsage:
		hint = "run " + cmd.CommandPath() + " --help for its arguments and flags"
	case isDenied(exit.Err):
		hint = AsRoot
	}
	if exit.Err != nil {
		printable.Fprintln(stderr, root.Name()+": error:", exit.Err)
	}
	if hint != "" {
		printable.Fprintln(stderr, root.Name()+": hint:", hint)
	}
	return exit.Code
}

// argsKey is the key of the arguments in the context of a command.
type argsKey struct{}

// ArgsOf returns the arguments that Run was called with, also while a command handles an
// error of their syntax.
func ArgsOf(cmd *cobra.Command) []string {
	if cmd.Context() == nil {
		return nil
	}
	args, _ := cmd.Context().Value(argsKey{}).([]string)
	return args
}

// Warn prints a warning that does not end the command.
func Warn(cmd *cobra.Command, args ...any) {
	printable.Fprintln(cmd.ErrOrStderr(), append([]any{cmd.Root().Name() + ": warning:"}, args...)...)
}

// separateUsage marks the errors that commands return with ExitUnknown, so that an
// error without a mark is one of cobra's about usage.
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
		var exit *ExitError
		if err == nil || errors.As(err, &exit) {
			return err
		}
		return &ExitError{Code: ExitUnknown, Err: err}
	}
}
