// SPDX-License-Identifier: Apache-2.0

package printable

import (
	"fmt"
	"io"
)

// Fprintf is fmt.Fprintf, with String for what each argument is formatted as and Error
// for errors. Newlines and tabs come from the format alone, or from a Text.
func Fprintf(w io.Writer, format string, args ...any) (int, error) {
	return fmt.Fprintf(w, format, safe(args)...)
}

// Fprintln is fmt.Fprintln, likewise.
func Fprintln(w io.Writer, args ...any) (int, error) {
	return fmt.Fprintln(w, safe(args)...)
}

// Sprintf is fmt.Sprintf, likewise.
func Sprintf(format string, args ...any) string {
	return fmt.Sprintf(format, safe(args)...)
}

// Text is text that was composed of lines by this package, or by nobody but the program:
// as an argument of Fprintf its newlines and tabs stay. Everything else that is not
// printable is escaped in it, too.
type Text string

// Format writes the text, whatever the verb.
func (t Text) Format(s fmt.State, _ rune) {
	_, _ = s.Write(JSON([]byte(t))) // fmt.State never fails
}

// safe wraps the arguments that may have text in them. Numbers stay as they are: one of
// them may be a width.
func safe(args []any) []any {
	wrapped := make([]any, len(args))
	for i, a := range args {
		switch a.(type) {
		case Text, bool, int, int64, uint64, float64:
			wrapped[i] = a
		default:
			wrapped[i] = argument{a}
		}
	}
	return wrapped
}

// An argument is formatted as its value is, and escaped then.
type argument struct{ value any }

// Format implements fmt.Formatter.
func (a argument) Format(s fmt.State, verb rune) {
	value := a.value
	if err, ok := value.(error); ok && err != nil {
		value = Error(err)
	}
	_, _ = io.WriteString(s, String(fmt.Sprintf(fmt.FormatString(s, verb), value)))
}
