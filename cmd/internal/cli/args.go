// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// NoArgs accepts no arguments.
func NoArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if !cmd.HasAvailableSubCommands() {
		return fmt.Errorf("%s takes no arguments: leave out %q", cmd.Name(), strings.Join(args, " "))
	}
	text := fmt.Sprintf("%s has no command %q", cmd.CommandPath(), args[0])
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		text += fmt.Sprintf("; did you mean %q?", strings.Join(near, `" or "`))
	}
	return fmt.Errorf("%s", text)
}

// OneArg accepts exactly one argument. Messages call it name, and say that the command
// list prints the possible values.
func OneArg(name, list string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch len(args) {
		case 0:
			return missing(cmd, name, list)
		case 1:
			return nil
		}
		return fmt.Errorf("%s takes one %s at a time: leave out %q", cmd.Name(), name, strings.Join(args[1:], " "))
	}
}

// SomeArgs accepts one argument or more, with messages as those of OneArg.
func SomeArgs(name, list string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return missing(cmd, name, list)
		}
		return nil
	}
}

func missing(cmd *cobra.Command, name, list string) error {
	article := "a"
	if strings.ContainsRune("AEIOU", rune(name[0])) {
		article = "an"
	}
	return fmt.Errorf("%s needs %s %s: %s %s (%s lists them)", cmd.Name(), article, name, cmd.CommandPath(), name, list)
}

// Complete makes the shell complete a flag with fixed values. The flag must exist.
func Complete(cmd *cobra.Command, flag string, values ...string) {
	complete := cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)
	if err := cmd.RegisterFlagCompletionFunc(flag, complete); err != nil {
		panic(err)
	}
}

// Hide leaves flags out of the help. They must exist.
func Hide(cmd *cobra.Command, flags ...string) {
	for _, flag := range flags {
		if err := cmd.Flags().MarkHidden(flag); err != nil {
			panic(err)
		}
	}
}
