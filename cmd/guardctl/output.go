// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/pkg/printable"
)

// A format is the value of --output, one of those that a command offers.
type format struct {
	value string
	valid []string
}

// outputFlag gives a command its --output. The first format is the default.
func outputFlag(cmd *cobra.Command, valid ...string) *format {
	f := &format{value: valid[0], valid: valid}
	cmd.Flags().VarP(f, "output", "o", "what to print: "+strings.Join(valid, ", "))
	complete := cobra.FixedCompletions(valid, cobra.ShellCompDirectiveNoFileComp)
	if err := cmd.RegisterFlagCompletionFunc("output", complete); err != nil {
		panic(err) // the flag was added two lines up
	}
	return f
}

// Set takes one of the valid formats.
func (f *format) Set(value string) error {
	if !slices.Contains(f.valid, value) {
		return fmt.Errorf("unknown format; valid are %s", strings.Join(f.valid, ", "))
	}
	f.value = value
	return nil
}

func (f *format) String() string { return f.value }

// Type is the word for the value in the help.
func (f *format) Type() string { return "format" }

func (f *format) json() bool { return f.value == "json" }

// printJSON writes one indented document. Names in it are what they are to a decoder,
// and harmless on a terminal.
func printJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(printable.JSON(b.Bytes()))
	return err
}
