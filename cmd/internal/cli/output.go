// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/pkg/printable"
)

// A Format is the value of --output: one of the formats that a command offers.
type Format struct {
	value string
	valid []string
}

// OutputFlag adds --output to a command. The first format is the default.
func OutputFlag(cmd *cobra.Command, valid ...string) *Format {
	f := &Format{value: valid[0], valid: valid}
	cmd.Flags().VarP(f, "output", "o", "output format: "+strings.Join(valid, ", "))
	Complete(cmd, "output", valid...)
	return f
}

// Set accepts one of the valid formats.
func (f *Format) Set(value string) error {
	if !slices.Contains(f.valid, value) {
		return fmt.Errorf("unknown format; valid are %s", strings.Join(f.valid, ", "))
	}
	f.value = value
	return nil
}

// String returns the format, such as "text".
func (f *Format) String() string { return f.value }

// Type returns the word for the value in the help.
func (f *Format) Type() string { return "format" }

// JSON reports whether the output is to be JSON.
func (f *Format) JSON() bool { return f.value == "json" }

// PrintJSON writes v as one indented document. What is not printable in it is escaped:
// a decoder gets the same values, and a terminal obeys none of them.
func PrintJSON(w io.Writer, v any) error {
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

// A Table aligns cells in columns.
type Table struct {
	header  int // columns that have a heading
	text    strings.Builder
	aligned *tabwriter.Writer
}

// NewTable returns a table with a heading for each column.
func NewTable(header ...string) *Table {
	t := &Table{}
	t.aligned = tabwriter.NewWriter(&t.text, 0, 0, 2, ' ', 0)
	t.Row(header...)
	t.header = len(header)
	return t
}

// Row adds a row. An empty cell below a heading is shown as "-".
func (t *Table) Row(cells ...string) {
	for i, cell := range cells {
		if cell == "" && i < t.header {
			cell = "-"
		}
		if i > 0 {
			_, _ = io.WriteString(t.aligned, "\t")
		}
		_, _ = io.WriteString(t.aligned, printable.String(cell))
	}
	_, _ = io.WriteString(t.aligned, "\n") // into memory, which accepts everything
}

// String returns the lines of the table.
func (t *Table) String() string {
	_ = t.aligned.Flush()
	return t.text.String()
}

// OrDash returns s, or "-" for "".
func OrDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// Wrap breaks a paragraph into lines of 78 columns, indented by two.
func Wrap(text string) printable.Text {
	const width = 78
	var b strings.Builder
	line := " "
	for _, word := range strings.Fields(printable.String(text)) {
		if len(line)+1+len(word) > width {
			b.WriteString(line + "\n")
			line = " "
		}
		line += " " + word
	}
	return printable.Text(b.String() + line)
}

// Waiting prints every second to w what the command waits for, until stop is called.
func Waiting(w io.Writer, what string) (stop func()) {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for began := time.Now(); ; {
			select {
			case <-end:
				return
			case <-tick.C:
				printable.Fprintf(w, "guardctl: waiting for: %s (%s)\n", what, time.Since(began).Round(time.Second))
			}
		}
	}()
	return func() {
		close(end)
		<-ended
	}
}
